"""Numbers of a JSON body that know how they were written."""


class Fraction(int):
    """A whole number that was written as a fraction, such as 80.0: fine for custom resources, no integer for Go."""

    text: str

    @classmethod
    def of(cls, text: str) -> "Fraction":
        """The number that a text stands for, which must be whole."""
        made = cls(float(text))
        made.text = text
        return made


def number(text: str) -> float:
    """A JSON number with a point or an exponent. Raises ValueError for one that no 64 bits can hold."""
    value = float(text)
    if value.is_integer() and abs(value) < 2**53:
        return Fraction.of(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text} is out of range")
    return value


def plain(value: object) -> object:
    """The value with every Fraction as an ordinary number."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return int(value) if isinstance(value, Fraction) else value
