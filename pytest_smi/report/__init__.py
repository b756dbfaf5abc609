"""From verdicts to results.json, JUnit, Allure and the terminal."""
