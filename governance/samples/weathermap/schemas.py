"""The services' interfaces, as they are uploaded to the registry."""

_OPERATION = """\
swagger: "2.0"
info:
  title: {name}
  version: "1.0.0"
basePath: /{name}
produces: [application/json]
paths:
  /show:
    get:
      operationId: {operation}
      parameters:
      - {{name: city, in: query, required: true, type: string}}
      - {{name: user, in: query, required: false, type: string}}
      responses:
        "200": {{description: {about}, schema: {{type: object}}}}
"""

WEATHER = _OPERATION.format(name="weather", operation="showCurrentWeather", about="the weather now")
WEATHER_BETA = _OPERATION.format(name="weather", operation="showCurrentWeather", about="the weather now with UV index")
FORECAST = _OPERATION.format(name="forecast", operation="getForecast", about="the next five days")
FUSION = _OPERATION.format(name="fusionweather", operation="show", about="the weather now and the next days")
