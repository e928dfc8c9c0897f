from swapstats.model.health import DependencyStatus
from swapstats.roles.link_watch import LinkWatch


def test_a_connection_comes_goes_and_is_counted() -> None:
    there = [False]
    dropped = [0]
    link = LinkWatch("nats", lambda: there[0], lambda: dropped[0])
    away = "Expected a connection to nats, was none"
    assert link.status() == DependencyStatus("nats", "open", 0, 0, away), "it never was there"
    there[0] = True
    assert link.status() == DependencyStatus("nats", "closed", 0, 0, None)
    there[0], dropped[0] = False, 7
    assert link.status() == DependencyStatus("nats", "open", 1, 7, away)
    assert link.status().opens == 1, "a look counts a loss once"
    there[0] = True
    assert link.status().state == "closed"
    there[0] = False
    assert link.status().opens == 2
