"""Rules of the filters `include` and `exclude` of a source, as kzfeed.toml writes them."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, PlainValidator, model_validator

from kzfeed.model.filters import FilterRule


def pattern(value: object) -> str:
    """A regular expression, unchanged. Raises ValueError, whose message completes the sentence "expected …"."""
    # Imported late: without filters the library of regular expressions is not needed.
    from kzfeed.article.filters import problem_of

    if not isinstance(value, str) or not value:
        raise ValueError("a regular expression that is not empty")
    problem = problem_of(value)
    if problem:
        raise ValueError(f"a regular expression ({problem})")
    return value


Pattern = Annotated[str, PlainValidator(pattern)]


class FilterRuleSettings(BaseModel):
    """A rule: its expressions by what they are searched in. At least one is needed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: Pattern | None = None
    text: Pattern | None = None
    tag: Pattern | None = None
    author: Pattern | None = None
    any: Pattern | None = None

    @model_validator(mode="after")
    def _has_expression(self) -> Self:
        if not self.model_fields_set:
            raise ValueError(f"one or more of {', '.join(type(self).model_fields)}")
        return self

    def rule(self) -> FilterRule:
        """The rule for the rest of kzfeed."""
        return FilterRule(**self.model_dump())
