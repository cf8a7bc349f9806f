"""The daemon in unusual environments: closed standard streams, and a locale without UTF-8."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from broadcaster.storage.secrets import state_secrets
from tests.edges.devices_rig import make_file
from tests.rigs.daemon import Daemon

SMALL = {"video__width": 320, "video__height": 180, "video__bitrate": 200_000}
LOCALES = Path("/usr/share/i18n/locales/de_DE")


@pytest.mark.parametrize("closed", ["exec <&-", "exec >&-", "exec 2>&-", "exec <&- >&- 2>&-"])
async def test_daemon_works_with_closed_standard_streams(closed):
    daemon = Daemon(**SMALL)
    daemon.script = closed
    async with daemon:
        async with asyncio.timeout(10):
            while (await daemon.status())["stream"]["state"] != "live":
                await asyncio.sleep(0.02)
        for number in range(3):
            assert not os.readlink(f"/proc/{daemon.pid}/fd/{number}").startswith(("socket:", "pipe:", "anon_inode:"))
        assert await daemon.stop() == 0
        assert "Traceback" not in daemon.log


@pytest.fixture
def locale(tmp_path, monkeypatch):
    """Set a Latin-1 locale, as `raspi-config` offers it."""
    if shutil.which("localedef") is None or not LOCALES.exists():
        pytest.skip("localedef has no locale sources: sudo apt install locales")
    name = "de_DE.ISO-8859-1"
    subprocess.run(["localedef", "-i", "de_DE", "-f", "ISO-8859-1", tmp_path / name], check=False, capture_output=True)
    for key in ("PYTHONUTF8", "PYTHONIOENCODING"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("LOCPATH", str(tmp_path))
    monkeypatch.setenv("LC_ALL", name)
    shown = subprocess.run(["locale", "charmap"], capture_output=True, text=True, check=False).stdout
    if "8859" not in shown:
        pytest.skip("localedef cannot create a Latin-1 locale here")


@pytest.mark.usefixtures("locale")
async def test_film_with_a_name_outside_the_locale_is_played(tmp_path):
    make_file(tmp_path / "東京 é.mp4", seconds=2)
    (tmp_path / "film.toml").write_text(f'[video]\nsource = "file"\nfile = "{tmp_path}/東京 é.mp4"\n', encoding="utf-8")
    settings = {"video__source": "file", "audio__source": "none"}
    async with Daemon("--settings", str(tmp_path / "film.toml"), **settings) as daemon:
        async with asyncio.timeout(10):
            while (await daemon.status())["stream"]["state"] != "live":
                await asyncio.sleep(0.02)
        assert await daemon.stop() == 0
        assert "\\u6771\\u4eac" in daemon.log, "the start banner has its name, escaped"
        assert "Traceback" not in daemon.log


@pytest.mark.usefixtures("locale")
@pytest.mark.parametrize(
    "command", ["settings", "link --set web.links=true --set web.port=81 --set stream.state_dir={}"]
)
def test_commands_print_to_a_terminal_without_encoding_errors(command, tmp_path):
    state_secrets(tmp_path).link_key.read_or_create()
    words = [sys.executable, "-m", "broadcaster", *command.format(tmp_path).split()]
    command = ["script", "-qec", " ".join(words), "/dev/null"]
    ended = subprocess.run(command, capture_output=True, timeout=60, stdin=subprocess.DEVNULL, check=False)
    assert ended.returncode == 0
    assert b"UnicodeEncodeError" not in ended.stdout
