"""Names of inputs in bronze's ledger: addresses relative to the landing folder, so that landing may move.

An input outside of landing has its whole address as its name, as every input had in earlier releases. `_source` has the whole
address, for people.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from dq_pipelines.config.settings import Settings
from dq_pipelines.sources import ConsumedVersion, Input
from dq_pipelines.sources.places import absolute, is_absolute

#: In bronze's ledger, followed by an input's name: `Version.number`, `Source.content_of` and, unless it is 0, `Version.changed`.
#: Each is the number of an entry of its own, since an entry with Delta's `lastUpdated` may expire.
INPUT, CONTENT, CHANGED = "input:", "content:", "changed:"
#: Followed by a landing folder to which names in the ledger are relative.
LANDING = "landing:"


@dataclass(frozen=True)
class Names:
    """Names of inputs."""

    #: the landing folder of today, and those of before
    landing: str
    former: tuple[str, ...] = ()

    @classmethod
    def of(cls, entries: Collection[str]) -> Names:
        """By the environment, and the names of a ledger's entries."""
        landing = absolute(Settings.from_environment().landing).rstrip("/")
        roots = (entry.removeprefix(LANDING) for entry in entries if entry.startswith(LANDING))
        return cls(landing, tuple(sorted({root for root in roots if root != landing}, key=len, reverse=True)))

    def name(self, address: str) -> str:
        """The name of the input at an address, or of what `_source` says, which may go on after a `#`."""
        for root in (self.landing, *self.former):
            if address.startswith(f"{root}/"):
                return address[len(root) + 1 :]
        return address

    def address(self, address: str) -> str:
        """Where the input of an address, or of what `_source` says, is to be found today."""
        name = self.name(address)
        return address if name == address else f"{self.landing}/{name}"

    def is_landing(self, address: str) -> bool:
        """Whether the address lies in the landing folder of today."""
        return address.startswith(f"{self.landing}/")

    def entries(self, inputs: Collection[Input]) -> dict[str, int]:
        """The ledger's entries for the folders to which the names of these inputs are relative."""
        if not any(self.is_landing(item.uri) for item in inputs):
            return {}
        return {f"{LANDING}{root}": 1 for root in (self.landing, *self.former)}


@dataclass(frozen=True)
class Consumed:
    """The inputs that bronze has consumed, by its ledger."""

    entries: Mapping[str, int]
    names: Names

    @classmethod
    def of(cls, entries: Mapping[str, int]) -> Consumed:
        """By the entries of bronze's ledger."""
        return cls(entries, Names.of(entries))

    def number(self, item: Input) -> int | None:
        """The number of the version that was consumed last; None for a new input."""
        return self._entry(INPUT, item)

    def is_as_noted(self, item: Input) -> bool:
        """Whether an input was consumed in a version with the numbers that it has now."""
        name = self.names.name(item.uri)
        if self._entry(INPUT, item, name) != item.version.number:
            return False
        return not item.version.changed or self._entry(CHANGED, item, name) == item.version.changed

    def last_version(self, item: Input) -> ConsumedVersion | None:
        """The version of an input that was consumed last; None for a new input."""
        number = self.number(item)
        if number is None:
            return None
        return ConsumedVersion(item.uri, number, self._entry(CHANGED, item), self._entry(CONTENT, item))

    def last_version_at(self, address: str) -> ConsumedVersion | None:
        """The same of an input that an earlier release noted by its whole address."""
        number, changed, content = (self.entries.get(f"{kind}{address}") for kind in (INPUT, CHANGED, CONTENT))
        return None if number is None else ConsumedVersion(address, number, changed, content)

    def versions(self, inputs: Collection[Input]) -> dict[str, int]:
        """The ledger's entries for the versions of these inputs, apart from their content."""
        name = self.names.name
        return {
            **{f"{INPUT}{name(item.uri)}": item.version.number for item in inputs},
            **{f"{CHANGED}{name(item.uri)}": item.version.changed for item in inputs if item.version.changed},
            **self.names.entries(inputs),
        }

    def _entry(self, kind: str, item: Input, name: str | None = None) -> int | None:
        name = self.names.name(item.uri) if name is None else name
        number = self.entries.get(f"{kind}{name}")
        if number is not None or name == item.uri:
            return number
        # Earlier releases noted whole addresses.
        roots = (self.names.landing, *self.names.former)
        return next((old for root in roots if (old := self.entries.get(f"{kind}{root}/{name}")) is not None), None)

    @property
    def has_whole_addresses(self) -> bool:
        """Whether an input is known that lies in no landing folder, of today or of before."""
        return any(
            self.names.name(address) == address and is_absolute(address)
            for entry in self.entries
            if (address := entry.removeprefix(INPUT)) != entry
        )

    def moved_from(self, item: Input, address: str) -> Consumed:
        """The same, with the folder that was the landing folder when an input lay at an address."""
        root = address.removesuffix(f"/{self.names.name(item.uri)}")
        return replace(self, names=replace(self.names, former=(*self.names.former, root)))

    def elsewhere(self, items: Collection[Input]) -> dict[Input, list[str]]:
        """By input of the landing folder, the whole addresses of earlier releases that may be the same file's before it moved."""
        wanted: dict[str, list[Input]] = {}
        for item in items:
            if self.names.is_landing(item.uri):
                wanted.setdefault(item.uri.rpartition("/")[2], []).append(item)
        addresses: dict[Input, list[str]] = {}
        if not wanted:
            return addresses
        for entry in self.entries:
            address = entry.removeprefix(INPUT)
            if address == entry or not is_absolute(address):
                continue
            for item in wanted.get(address.rpartition("/")[2], ()):
                if self.names.name(address) == address and address.endswith(f"/{self.names.name(item.uri)}"):
                    addresses.setdefault(item, []).append(address)
        return addresses
