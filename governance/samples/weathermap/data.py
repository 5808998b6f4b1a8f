"""Weather from a seed: the same city, day and seed always give the same weather, so that tests can assert it."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta

_KNOWN = {
    "shenzhen": ("Shenzhen", "CN", 22.54, 114.06, 27.0),
    "beijing": ("Beijing", "CN", 39.90, 116.40, 14.0),
    "shanghai": ("Shanghai", "CN", 31.23, 121.47, 18.0),
    "berlin": ("Berlin", "DE", 52.52, 13.40, 10.0),
    "london": ("London", "GB", 51.51, -0.13, 11.0),
    "new york": ("New York", "US", 40.71, -74.01, 13.0),
    "nairobi": ("Nairobi", "KE", -1.29, 36.82, 20.0),
    "sydney": ("Sydney", "AU", -33.87, 151.21, 19.0),
}
_SKIES = (
    ("Clear", "01d"),
    ("Clouds", "03d"),
    ("Rain", "10d"),
    ("Thunderstorm", "11d"),
    ("Snow", "13d"),
    ("Mist", "50d"),
)
DAYS = 5


class Almanac:
    """Knows the weather of every city for one seed, starting from one day (UTC)."""

    def __init__(self, seed: str = "waggle", today: datetime | None = None) -> None:
        self._seed = seed
        self._today = (today or datetime.now(UTC)).replace(hour=12, minute=0, second=0, microsecond=0)

    def current(self, city: str) -> dict[str, object]:
        """The weather now."""
        dice = self._dice(city, 0)
        name, country, latitude, longitude, _ = _place(city)
        sky, image = _sky(dice, self._warmth(city, 0))
        noon = int(self._today.timestamp())
        return {
            "cityName": name,
            "country": country,
            "temperature": self._warmth(city, 0),
            "image": image,
            "date": noon,
            "weather": sky,
            "windSpeed": round(dice.uniform(0.5, 14), 1),
            "cloudiness": f"{dice.randrange(0, 101)}%",
            "cloudsDeg": float(dice.randrange(0, 360)),
            "pressure": float(dice.randrange(985, 1035)),
            "humidity": float(dice.randrange(25, 100)),
            "sunrise": noon - 6 * 3600 + dice.randrange(0, 3600),
            "sunset": noon + 6 * 3600 - dice.randrange(0, 3600),
            "coordinatesLat": latitude,
            "coordinatesLon": longitude,
            "currentTime": noon * 1000,
        }

    def ultraviolet(self, city: str) -> dict[str, object]:
        """What weather-beta adds."""
        index = round(self._dice(city, -1).uniform(0.2, 11.5), 1)
        return {
            "uviDate": int(self._today.timestamp()),
            "uviDateISO": self._today.isoformat().replace("+00:00", "Z"),
            "uviValue": index,
        }

    def forecast(self, city: str) -> dict[str, object]:
        """The next days."""
        name, country, latitude, longitude, _ = _place(city)
        return {
            "country": country,
            "cityName": name,
            "coordinatesLon": longitude,
            "coordinatesLat": latitude,
            "dateList": [self._day(city, number) for number in range(1, DAYS + 1)],
            "currentTime": int(self._today.timestamp()) * 1000,
        }

    def _day(self, city: str, number: int) -> dict[str, object]:
        dice = self._dice(city, number)
        warmth = self._warmth(city, number)
        sky, image = _sky(dice, warmth)
        date = self._today + timedelta(days=number)
        return {
            "date": int(date.timestamp()),
            "image": image,
            "dateTxt": date.strftime("%Y-%m-%d"),
            "temperatureMax": round(warmth + dice.uniform(1, 6), 1),
            "weather": sky,
            "temperature": warmth,
            "temperatureMin": round(warmth - dice.uniform(1, 6), 1),
            "humidity": float(dice.randrange(25, 100)),
            "pressure": float(dice.randrange(985, 1035)),
            "windSpeed": round(dice.uniform(0.5, 14), 1),
            "cloudsDeg": float(dice.randrange(0, 360)),
            "rain3h": round(dice.uniform(0, 8), 1) if sky in ("Rain", "Thunderstorm") else 0.0,
        }

    def _warmth(self, city: str, number: int) -> float:
        return round(_place(city)[4] + self._dice(city, 1000 + number).uniform(-8, 8), 1)

    def _dice(self, city: str, number: int) -> random.Random:
        text = f"{self._seed}|{city.strip().lower()}|{self._today.date()}|{number}"
        return random.Random(hashlib.sha256(text.encode()).digest())  # noqa: S311  weather, not cryptography


def _place(city: str) -> tuple[str, str, float, float, float]:
    folded = " ".join(city.split()).lower()
    if folded in _KNOWN:
        return _KNOWN[folded]
    dice = random.Random(hashlib.sha256(folded.encode()).digest())  # noqa: S311  geography, not cryptography
    latitude = round(dice.uniform(-60, 70), 2)
    return folded.title(), "", latitude, round(dice.uniform(-180, 180), 2), round(28 - abs(latitude) / 2.5, 1)


def _sky(dice: random.Random, warmth: float) -> tuple[str, str]:
    sky, image = dice.choice(_SKIES)
    return ("Rain", "10d") if sky == "Snow" and warmth > 3 else (sky, image)
