"""The weather of a seed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from governance.samples.weathermap.data import Almanac
from governance.samples.weathermap.service import almanac
from governance.sdk import SettingsError

_DAY = datetime(2026, 11, 24, tzinfo=UTC)
KNOWN = Almanac("waggle", _DAY)


def test_the_same_seed_city_and_day_give_the_same_weather() -> None:
    now = KNOWN.current("Berlin")
    assert now == almanac({"WEATHERMAP_DATE": "2026-11-24"}).current("  bERLIN ")
    assert now == {
        "cityName": "Berlin",
        "country": "DE",
        "temperature": 9.4,
        "image": "01d",
        "date": 1795521600,
        "weather": "Clear",
        "windSpeed": 12.5,
        "cloudiness": "95%",
        "cloudsDeg": 163.0,
        "pressure": 999.0,
        "humidity": 71.0,
        "sunrise": 1795502360,
        "sunset": 1795541206,
        "coordinatesLat": 52.52,
        "coordinatesLon": 13.4,
        "currentTime": 1795521600000,
    }


def test_another_seed_city_or_day_gives_other_weather() -> None:
    others = [
        Almanac("other", _DAY).current("Berlin"),
        KNOWN.current("London"),
        Almanac("waggle", _DAY.replace(day=25)).current("Berlin"),
    ]
    numbers = [
        (each["temperature"], each["windSpeed"], each["pressure"]) for each in [KNOWN.current("Berlin"), *others]
    ]
    assert len(set(numbers)) == 4


def test_the_forecast_is_the_next_five_days() -> None:
    ahead = KNOWN.forecast("Berlin")
    days = ahead["dateList"]
    assert [day["dateTxt"] for day in days] == [f"2026-11-{number}" for number in range(25, 30)]  # type: ignore[union-attr]
    assert all(day["temperatureMin"] < day["temperature"] < day["temperatureMax"] for day in days)  # type: ignore[union-attr]
    assert days[0] == {  # type: ignore[index]
        "date": 1795608000,
        "image": "50d",
        "dateTxt": "2026-11-25",
        "temperatureMax": 10.6,
        "weather": "Mist",
        "temperature": 6.0,
        "temperatureMin": 1.2,
        "humidity": 30.0,
        "pressure": 1026.0,
        "windSpeed": 9.7,
        "cloudsDeg": 333.0,
        "rain3h": 0.0,
    }


def test_the_uv_index() -> None:
    assert KNOWN.ultraviolet("Berlin") == {
        "uviDate": 1795521600,
        "uviDateISO": "2026-11-24T12:00:00Z",
        "uviValue": 4.7,
    }


@pytest.mark.parametrize("city", ["Atlantis", "東京", "São Tomé", "x" * 100])
def test_a_city_that_nobody_knows_has_weather_too(city: str) -> None:
    now = KNOWN.current(city)
    assert now == KNOWN.current(city.upper())
    assert now["country"] == ""
    assert -60 <= now["temperature"] <= 60  # type: ignore[operator]


def test_it_never_snows_where_it_is_warm() -> None:
    for number in range(300):
        now = KNOWN.current(f"city {number}")
        assert now["weather"] != "Snow" or now["temperature"] <= 3  # type: ignore[operator]


def test_a_date_that_is_none_is_told() -> None:
    with pytest.raises(SettingsError, match="variable WEATHERMAP_DATE: 'tomorrow' is no date"):
        almanac({"WEATHERMAP_DATE": "tomorrow"})
