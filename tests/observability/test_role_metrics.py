from prometheus_client import CollectorRegistry

from swapstats.observability.role_metrics import ROLE_TABLE, RoleMetrics


def test_every_row_is_an_attribute_in_the_given_registry() -> None:
    registry = CollectorRegistry()
    metrics = RoleMetrics(registry)
    assert set(vars(metrics)) == {spec.name for spec in ROLE_TABLE}
    registered = {metric.name for metric in registry.collect()}
    assert {spec.name.removesuffix("_total") for spec in ROLE_TABLE} == registered
