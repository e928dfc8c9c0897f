"""Where parts lie: the storage policy `hot_to_s3`, as configuration of either engine.

`deploy/clickhouse/storage.xml` is written from here. No file holds a secret: keys come from the
environment of the process.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from swapstats.adapters.clickhouse.schema import COLD_VOLUME, STORAGE_POLICY

KEY_ID_VARIABLE: Final = "SWAPSTATS_ARCHIVE_S3_KEY_ID"
SECRET_VARIABLE: Final = "SWAPSTATS_ARCHIVE_S3_SECRET"  # noqa: S105 - the name of a variable

COLD_METADATA: Final = "cold-metadata"
"""Where the embedded engine notes which objects are whose, below its directory."""


@dataclass(frozen=True, slots=True)
class ColdStorage:
    """Where old parts go.

    Attributes:
        endpoint: URL of bucket and prefix, ending in `/`.
        key_id: access key id.
        secret: secret access key.
    """

    endpoint: str
    key_id: str
    secret: str


def storage_xml(
    directory: Path,
    cold: ColdStorage | None,
    settings: Mapping[str, str | int],
    merge_tree_settings: Mapping[str, str | int],
) -> str:
    """Write the engine's configuration: its log level, and where parts lie.

    Keys come from the environment, so that the file holds no secret.
    """
    lines = ["<clickhouse>", "  <logger><level>error</level></logger>"]
    lines += [f"  <{name}>{escape(str(value))}</{name}>" for name, value in settings.items()]
    if merge_tree_settings:
        lines.append("  <merge_tree>")
        lines += [f"    <{name}>{value}</{name}>" for name, value in merge_tree_settings.items()]
        lines.append("  </merge_tree>")
    if cold is not None:
        lines.append(
            policy_xml(escape(cold.endpoint), escape(str(directory.absolute() / COLD_METADATA)))
        )
    lines.append("</clickhouse>")
    return "\n".join(lines) + "\n"


def policy_xml(endpoint: str, metadata_path: str) -> str:
    """The storage policy: new parts on the default disk, old ones on S3.

    The hot volume is called `default` as in the policy `default`, so a table made without cold
    storage can be given it later. Moves are by age only (`move_factor` 0), and never within an
    insert: an insert of old rows must not fail while S3 is away.
    """
    return f"""  <storage_configuration>
    <disks>
      <s3_cold>
        <type>s3</type>
        <endpoint>{endpoint}</endpoint>
        <access_key_id from_env="{KEY_ID_VARIABLE}"/>
        <secret_access_key from_env="{SECRET_VARIABLE}"/>
        <metadata_path>{metadata_path}/</metadata_path>
        <skip_access_check>true</skip_access_check>
      </s3_cold>
    </disks>
    <policies>
      <{STORAGE_POLICY}>
        <volumes>
          <default><disk>default</disk></default>
          <{COLD_VOLUME}>
            <disk>s3_cold</disk>
            <perform_ttl_move_on_insert>false</perform_ttl_move_on_insert>
          </{COLD_VOLUME}>
        </volumes>
        <move_factor>0.0</move_factor>
      </{STORAGE_POLICY}>
    </policies>
  </storage_configuration>"""


def server_xml() -> str:
    """Write the configuration a server needs: `deploy/clickhouse/storage.xml`."""
    policy = policy_xml("http://s3:9000/swapstats/archive/", "/var/lib/clickhouse/disks/s3_cold")
    return f"""<!-- Storage of the swapstats archive, for /etc/clickhouse-server/config.d/. Made by
     swapstats.adapters.clickhouse.storage: change that, not this. The endpoint ends in bucket and
     prefix; keys come from the environment of the server:
     {KEY_ID_VARIABLE} and {SECRET_VARIABLE}. -->
<clickhouse>
{policy}
</clickhouse>
"""
