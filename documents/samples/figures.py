"""The charts of the sample documents, by name; all figures are invented."""

from documents.samples.charts import Chart, Series

SEASONS = ("2020-21", "2021-22", "2022-23", "2023-24", "2024-25", "2025-26")
NIGHTS = tuple(str(night) for night in range(1, 31))

CHARTS: dict[str, Chart] = {
    "seagrass-cover": Chart(
        kind="line", unit="Canopy cover (%)", axis="Survey season", labels=SEASONS, top=80, step=20,
        series=(
            Series(name="Eastern banks", values=(24, 26, 31, 36, 43, 47), errors=(3, 3, 4, 3, 4, 4)),
            Series(name="Western Gulf", values=(52, 55, 54, 58, 61, 60), errors=(4, 4, 5, 4, 4, 5)),
            Series(name="Faure Sill", values=(38, 33, 30, 34, 37, 41), errors=(5, 4, 4, 4, 3, 4)),
        ),
    ),
    "seagrass-temperature": Chart(
        kind="line", unit="Sea temperature above the long-term mean (°C)", axis="Month of 2025-26", top=3, step=0.5,
        labels=("Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb", "Mar", "Apr", "May", "Jun"),
        series=(
            Series(name="Surface", values=(0.4, 0.3, 0.5, 0.9, 1.2, 1.6, 2.1, 2.4, 2.2, 1.4, 0.8, 0.6)),
            Series(name="Seabed, 4 m", values=(0.3, 0.3, 0.4, 0.7, 0.9, 1.2, 1.6, 1.9, 1.8, 1.3, 0.8, 0.5)),
        ),
    ),
    "turtle-tracks": Chart(
        kind="bar", unit="Tracks a night, all beaches", axis="Night of the census, from 15 November", labels=NIGHTS, top=80, step=20,
        series=(
            Series(name="2025-26", values=(18, 22, 25, 21, 30, 34, 37, 33, 41, 46, 44, 52, 55, 49, 58, 63, 61, 66, 57, 62,
                                           59, 54, 56, 48, 44, 46, 39, 35, 31, 27)),
        ),
    ),
    "parrot-calls": Chart(
        kind="line", unit="Stations with calls (% of those surveyed)", axis="Survey season", labels=SEASONS, top=60, step=10,
        series=(
            Series(name="Eastern heath", values=(41, 38, 22, 26, 31, 35), errors=(4, 4, 4, 3, 4, 4)),
            Series(name="Western heath", values=(12, 14, 15, 13, 17, 19), errors=(3, 3, 3, 3, 3, 3)),
        ),
    ),
    "woylie-survival": Chart(
        kind="bar", unit="Apparent survival over a year (%)", axis="Cohort", labels=("2021", "2022", "2023", "2024", "2025"), top=100, step=20,
        series=(
            Series(name="Baited and fenced", values=(81, 84, 79, 86, 88), errors=(4, 4, 5, 4, 3)),
            Series(name="Baited only", values=(54, 49, 58, 61, 63), errors=(6, 7, 6, 5, 5)),
            Series(name="Neither", values=(31, 28, 26, 33, 29), errors=(7, 7, 8, 7, 7)),
        ),
    ),
    "phosphite": Chart(
        kind="bar", unit="Plants alive after three years (%)", axis="Species group", labels=("Banksia", "Grass trees", "Pea flowers", "Heaths"),
        top=100, step=20,
        series=(
            Series(name="Sprayed twice", values=(78, 84, 69, 61), errors=(4, 3, 5, 6)),
            Series(name="Sprayed once", values=(57, 71, 52, 44), errors=(5, 4, 6, 6)),
            Series(name="Not sprayed", values=(23, 39, 31, 18), errors=(4, 5, 5, 4)),
        ),
    ),
    "fuel-age": Chart(
        kind="stack", unit="Share of the study area (%)", axis="Financial year", labels=SEASONS, top=100, step=20,
        series=(
            Series(name="0-3 years since fire", values=(18, 21, 19, 23, 26, 24)),
            Series(name="4-8 years", values=(27, 25, 28, 27, 29, 32)),
            Series(name="9-20 years", values=(33, 34, 33, 31, 29, 28)),
            Series(name="over 20 years", values=(22, 20, 20, 19, 16, 16)),
        ),
    ),
    "stygofauna": Chart(
        kind="line", unit="Species found, cumulative", axis="Bores sampled", top=80, step=20,
        labels=("5", "10", "15", "20", "25", "30", "35", "40", "45", "50"),
        series=(
            Series(name="Net hauls", values=(9, 16, 21, 26, 30, 33, 35, 37, 38, 39)),
            Series(name="Net hauls and environmental DNA", values=(14, 25, 34, 42, 48, 53, 57, 60, 62, 64)),
        ),
    ),
    "outputs": Chart(
        kind="bar", unit="Number", axis="Reporting year", labels=("2021-22", "2022-23", "2023-24", "2024-25", "2025-26"), top=100, step=20,
        series=(
            Series(name="Journal articles", values=(58, 64, 61, 72, 77)),
            Series(name="Technical reports", values=(31, 28, 35, 33, 38)),
            Series(name="Data sets released", values=(12, 17, 22, 29, 41)),
        ),
    ),
    "funding": Chart(
        kind="stack", unit="Operating funds (million dollars)", axis="Reporting year", top=12, step=2,
        labels=("2021-22", "2022-23", "2023-24", "2024-25", "2025-26"),
        series=(
            Series(name="Consolidated", values=(4.1, 4.3, 4.4, 4.7, 4.9)),
            Series(name="External grants", values=(2.2, 2.6, 2.4, 3.1, 3.4)),
            Series(name="Offsets and industry", values=(1.4, 1.3, 1.8, 1.9, 2.2)),
        ),
    ),
}
