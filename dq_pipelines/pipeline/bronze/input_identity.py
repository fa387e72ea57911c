"""Which input is which in bronze's ledger: by its address relative to the landing folder, so that landing may move.

An input that lies elsewhere is known by its whole address, as every input was in earlier releases. `_source` keeps the whole
address, for people.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from dq_pipelines.config.settings import Settings
from dq_pipelines.config.stores import is_remote
from dq_pipelines.sources import Input
from dq_pipelines.sources.places import local_path

#: In bronze's ledger, followed by an input's name: its modification time; a digest of its content; and of a local file the
#: change time. These are numbers of entries of their own, since an entry with Delta's `lastUpdated` may expire.
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
        found = Settings.from_environment().landing
        landing = (found if is_remote(found) else local_path(found)).rstrip("/")
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
        """What the ledger is to say of the names of these inputs: to which folders they are relative."""
        if not any(self.is_landing(item.uri) for item in inputs):
            return {}
        return {f"{LANDING}{root}": 1 for root in (self.landing, *self.former)}


@dataclass(frozen=True)
class Noted:
    """What the ledger has of the version of an input that was consumed last."""

    #: nanoseconds since the epoch
    modified: int
    #: the same; None where an earlier release consumed it, and for what is no local file
    changed: int | None
    #: the digest; None in the ledgers of early releases
    content: int | None


@dataclass(frozen=True)
class Consumed:
    """The inputs that bronze has consumed, by its ledger."""

    entries: Mapping[str, int]
    names: Names

    @classmethod
    def of(cls, entries: Mapping[str, int]) -> Consumed:
        return cls(entries, Names.of(entries))

    def modified(self, item: Input) -> int | None:
        """The modification time of the version that was consumed last, in nanoseconds; None for a new input."""
        return self._entry(INPUT, item)

    def is_as_noted(self, item: Input) -> bool:
        """Whether an input was consumed with the times that it has now."""
        if self.modified(item) != item.modified:
            return False
        return not item.changed or self._entry(CHANGED, item) == item.changed

    def noted(self, item: Input) -> Noted | None:
        """What is known of an input; None for a new one."""
        modified = self.modified(item)
        return None if modified is None else Noted(modified, self._entry(CHANGED, item), self._entry(CONTENT, item))

    def noted_at(self, address: str) -> Noted | None:
        """What is known of the input that an earlier release noted by its whole address."""
        modified, changed, content = (self.entries.get(f"{kind}{address}") for kind in (INPUT, CHANGED, CONTENT))
        return None if modified is None else Noted(modified, changed, content)

    def times(self, inputs: Collection[Input]) -> dict[str, int]:
        """What the ledger is to say of these inputs, apart from their content."""
        name = self.names.name
        return {
            **{f"{INPUT}{name(item.uri)}": item.modified for item in inputs},
            **{f"{CHANGED}{name(item.uri)}": item.changed for item in inputs if item.changed},
            **self.names.entries(inputs),
        }

    def _entry(self, kind: str, item: Input) -> int | None:
        name = self.names.name(item.uri)
        found = self.entries.get(f"{kind}{name}")
        if found is not None or name == item.uri:
            return found
        # Earlier releases noted whole addresses.
        roots = (self.names.landing, *self.names.former)
        return next((at for root in roots if (at := self.entries.get(f"{kind}{root}/{name}")) is not None), None)

    @property
    def has_whole_addresses(self) -> bool:
        """Whether an input is known that lies in no landing folder, of today or of before."""
        return any(
            self.names.name(address) == address and (address.startswith("/") or is_remote(address))
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
        found: dict[Input, list[str]] = {}
        if not wanted:
            return found
        for entry in self.entries:
            address = entry.removeprefix(INPUT)
            if address == entry or not (address.startswith("/") or is_remote(address)):
                continue
            for item in wanted.get(address.rpartition("/")[2], ()):
                if self.names.name(address) == address and address.endswith(f"/{self.names.name(item.uri)}"):
                    found.setdefault(item, []).append(address)
        return found
