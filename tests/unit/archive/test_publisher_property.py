"""Any changes in any groups: the drive reads as the dict that the changes make."""

from __future__ import annotations

from drive_worlds import World, folders_of, read_all
from hypothesis import given, settings
from hypothesis import strategies as st

from nodevms.archive.drive_check import DriveChecker, publications

NAMES = st.sampled_from(["a", "b", "a.txt", "é"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda names: "/" + "/".join(names))
ACTIONS = st.one_of(st.none(), st.just("folder"), st.binary(max_size=8))
GROUPS = st.lists(st.dictionaries(PATHS, ACTIONS, min_size=1, max_size=8), max_size=8)


@settings(max_examples=150, deadline=None)
@given(GROUPS, st.sampled_from([0, 4, 1000]))
def test_publications_read_as_the_model(
    groups: list[dict[str, bytes | str | None]], cached_names_max: int
) -> None:
    world = World(cached_names_max=cached_names_max)
    for group in groups:
        changes = []
        for path, action in group.items():
            if action is None:
                changes.append(world.delete(path))
            else:
                changes.append(world.change(path, None if isinstance(action, str) else action))
        world.publish(changes)
    drive = world.drive()
    for version, model in world.ends.items():
        assert read_all(drive, version) == model
        for folder, names in folders_of(model).items():
            assert drive.list(folder, version) == names
    checker = DriveChecker(world.metadata, world.content, world.content.key)
    for publication, changes in zip(publications(world.metadata), world.published, strict=True):
        checker.check(publication, changes)
