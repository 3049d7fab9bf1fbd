"""The sandboxes of a container runtime."""

from hopback.snapshot.rows import Sandbox
from hopback.sources.parse import crictl_pods
from tests.sources.parse.given import facts, listing, rows

TABLE = """
    POD ID              CREATED             STATE      NAME   NAMESPACE   ATTEMPT   RUNTIME
    5aa5d66d2ccdb       20 hours ago        Ready      db-0   prod        1         (default)
    14c1004655303       About a minute ago  NotReady   db-0   prod        0         (default)
"""


def test_table() -> None:
    parsed = crictl_pods.parse(listing(TABLE, "crictl pods"))
    assert [facts(row) for row in rows(parsed, Sandbox)] == [
        {"name": "db-0", "id": "5aa5d66d2ccdb", "namespace": "prod", "ready": True},
        {"name": "db-0", "id": "14c1004655303", "namespace": "prod", "ready": False},
    ]
    assert not parsed.problems


def test_the_end_of_a_line_may_be_cut() -> None:
    line = "5aa5d66d2ccdb       20 hours ago        Ready               db-0 [...]"
    (row,) = rows(crictl_pods.parse(listing(line, "crictl pods")), Sandbox)
    assert (row.name, row.namespace) == ("db-0", None)


def test_other_lines_are_problems() -> None:
    assert crictl_pods.parse(listing("FATA[0000] connection refused", "crictl pods")).problems
