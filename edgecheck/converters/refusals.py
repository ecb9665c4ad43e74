"""Sentences that several routes and sources share: refusals, notes and hints, in one place so that they agree."""

from __future__ import annotations

from collections.abc import Iterable

from edgecheck.core.sayings import known, plain
from edgecheck.errors import ConversionError

#: Note on an artifact that was calibrated without samples.
CALIBRATED_ON_NOISE = "Calibrated on random inputs; real `samples` improve the agreement."

#: Hint where a file that had been admitted turns out to run code.
DO_NOT_OPEN = "Do not open it."

#: Hint where the outputs of source and artifact cannot be paired.
COMPARE_BY_HAND = "Their agreement cannot be measured; compare them by hand."


def trust_hint(digest: str) -> str:
    """How to trust a file or code with this hash; the middle of a sentence."""
    return f"write `trusted: sha256:{digest}` into the budget, or give --trust"


def would_import(title: str, names: str, hint: str) -> ConversionError:
    """Opening the model would run code: `names` are what it would import."""
    return ConversionError(f"{title} is a pickle that would import and run {names}.", hint)


def would_run_when_opened(title: str, named: str, hint: str) -> ConversionError:
    """Opening the model would do more than load it: `named` says what."""
    return ConversionError(f"{title} would run {named} when it is opened.", hint)


def holds_code(title: str, named: str, hint: str) -> ConversionError:
    """The model has parts that are code: `named` says which."""
    return ConversionError(f"{title} holds {named}, which opening it would run.", hint)


def leads_elsewhere(title: str, named: str, hint: str) -> ConversionError:
    """The model has parts in other files, which its author chose: `named` says which parts."""
    return ConversionError(f"{title} would read other files when it is opened, by {named}.", hint)


def already_converted(title: str, weights: str) -> ConversionError:
    """The file's weights are not float32 any more; `weights` says what they are: `no float32 weights`."""
    return ConversionError(
        f"{title} holds {weights}: it has already been converted.", "Use the float32 model that it was made from."
    )


def nothing_to_convert(title: str, why: str) -> ConversionError:
    """The file has no weights that a variant could make smaller."""
    return ConversionError(f"{title} {why}.", "Use `float32`.")


def weights_without_network(title: str, hint: str) -> ConversionError:
    """The file holds weights, and the network that they belong to is elsewhere."""
    return ConversionError(f"{title} holds only weights, without the network that they belong to.", hint)


def unknown_inputs(title: str, what: str, example: str = "") -> ConversionError:
    """The model does not say `what` its inputs are; `example` is what to write into the budget's `inputs:`."""
    inputs = f"`inputs: {{{example}}}`" if example else "`inputs:`"
    return ConversionError(
        f"{title} does not say {what}.",
        f"Give --samples FILE or --input NAME=SHAPE; in a budget `samples:` or {inputs}.",
    )


def unopened(runtime: str, name: str, error: Exception) -> ConversionError:
    """A runtime on this machine does not open the model `name`."""
    saying = known(str(error))
    sentence = saying.sentence if saying is not None else plain(str(error))
    return ConversionError(f"{runtime} does not open {name}: {sentence}.", saying.next_step if saying else "")


def other_names(given: str, names: Iterable[str], expected: Iterable[str], hint: str) -> ConversionError:
    """Samples or shapes are under names that the model does not have; `given` is the subject and its verb."""
    return ConversionError(f"{given} {', '.join(names)}, but the model's inputs are {', '.join(expected)}.", hint)
