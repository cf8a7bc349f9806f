"""The functions of systemd/install.sh and uninstall.sh, with stand-ins for apt and the installed command."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.house.project import ROOT

APT_CACHE = """#!/bin/sh
# Like gettext: LANGUAGE applies in every locale except C. The version table is printed with a delay.
locale=${LC_ALL:-${LC_MESSAGES:-${LANG:-C}}}
language=${LANGUAGE:-$locale}
case $locale in C | POSIX) language=C ;; esac
case $language in
    de*) echo "$2:"; echo "  Installiert:           (keine)"; echo "  Installationskandidat: 0.3.32-1" ;;
    zh_CN*) echo "$2:"; echo "  已安装：(无)"; echo "  候选：  0.3.32-1" ;;
    *) echo "$2:"; echo "  Installed: (none)"; echo "  Candidate: 0.3.32-1" ;;
esac
sleep 0.1
for version in 0.3.31-1 0.3.30-1; do echo "     $version 500"; done
"""
APT_GET = """#!/bin/sh
echo "$@" >>"$LOG"
"""
LANGUAGES = [
    {"LANG": "C.UTF-8"},
    {"LANG": "de_DE.UTF-8"},
    {"LANG": "C.UTF-8", "LANGUAGE": "de"},
    {"LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de:en"},
    {"LANG": "zh_CN.UTF-8", "LANGUAGE": "zh_CN:zh"},
]


def write_program(folder: Path, name: str, text: str) -> Path:
    program = folder / name
    program.write_text(text, "utf-8")
    program.chmod(0o755)
    return program


def run(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run lines of bash with the functions of install.sh; programs in `folder` take precedence."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    path = {"PATH": f"{folder}:{os.environ['PATH']}", "LOG": str(folder / "log")}
    functions = "source <(grep -vx main install.sh)"  # everything except the call at its end
    command = ["bash", "-c", f"{functions}\nmade={folder}/made settings={folder}/settings.toml\n{script}"]
    return subprocess.run(
        command, cwd=ROOT / "systemd", env=plain | path | environment, capture_output=True, text=True, timeout=30
    )


@pytest.mark.parametrize("language", LANGUAGES, ids=str)
def test_board_libraries_are_installed_in_every_language_of_apt(language, tmp_path):
    write_program(tmp_path, "apt-cache", APT_CACHE)
    write_program(tmp_path, "apt-get", APT_GET)
    write_program(tmp_path, "dpkg-query", "#!/bin/sh\nexit 1\n")
    done = run("packages", tmp_path, **language)
    assert done.returncode == 0, done.stderr
    installed = (tmp_path / "log").read_text("utf-8").splitlines()[-1].split()
    assert installed[0] == "install"
    assert {"python3-venv", "alsa-utils", "python3-picamera2", "python3-lgpio"} <= set(installed)


CHECK_WITHOUT_CAMERA = """#!/bin/sh
cat <<'END'
broadcaster 0.1.0, checked as user broadcaster, like the service

BROKEN  camera       no USB camera is plugged in
          why        No pictures, no stream.

1 of 1 broken.
END
exit 2
"""


def test_working_camera_prints_no_hint(tmp_path):
    command = write_program(tmp_path, "broadcaster", "#!/bin/sh\necho 'ok  camera'\n")
    assert run(f"command={command}\nlook_for_camera", tmp_path).stdout == ""


def test_missing_camera_prints_the_result_of_the_check(tmp_path):
    """Every Pi has /dev/video10 and others, which belong to its codecs."""
    command = write_program(tmp_path, "broadcaster", CHECK_WITHOUT_CAMERA)
    output = run(f"compgen() {{ echo /dev/video10; }}\ncommand={command}\nlook_for_camera", tmp_path).stdout
    assert "no USB camera is plugged in" in output
    assert "no-camera" in output
    assert "1 of 1 broken" not in output


SETTINGS = """#!/bin/sh
cat <<'END'
# The page.
[web]
# Whether … (true or false)
links = true

# The picture.
[video]
source = "camera"

# Audio.
[audio]
source = "auto"

# Button.
[panel]
# Whether button and LED are used. (true or false)
enabled = true
END
"""


def test_effective_settings_are_read_per_table(tmp_path):
    command = write_program(tmp_path, "broadcaster", SETTINGS)
    lines = "value video source; value audio source; value panel enabled; value web enabled"
    assert run(f"command={command}\n{lines}", tmp_path).stdout.splitlines() == ['"camera"', '"auto"', "true"]


REPORT = """
journalctl() { echo "broadcaster 0.1.0"; }
systemctl() { echo "offline, 0 viewers"; }
look_for_camera() { :; }
report
"""


@pytest.mark.parametrize("enabled", ["true", "false"])
def test_report_mentions_the_button_only_if_it_is_enabled(enabled, tmp_path):
    command = write_program(tmp_path, "broadcaster", SETTINGS.replace("enabled = true", f"enabled = {enabled}"))
    done = run(f"command={command}\n{REPORT}", tmp_path)
    assert done.returncode == 0, done.stderr
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("  Go live")]
    assert row.endswith("sudo broadcaster live on")
    assert ("button" in row) is (enabled == "true")


def test_films_folder_belongs_to_the_service(tmp_path):
    write_program(tmp_path, "install", '#!/bin/sh\necho "$@"\n')
    commands = run("state=/s films=/s/films\nfilms_folder", tmp_path).stdout.splitlines()
    assert commands == [
        "-d -m 750 -o broadcaster -g broadcaster /s",
        "-d -m 755 -o broadcaster -g broadcaster /s/films",
    ]


@pytest.mark.parametrize("typed", ["", "sudo /home/pi/.local/bin/broadcaster install"])
def test_non_root_user_gets_the_sudo_command(typed, tmp_path):
    write_program(tmp_path, "id", "#!/bin/sh\necho 1000\n")
    done = run("need_root install", tmp_path, **({"TYPED": typed} if typed else {}))
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith(typed or "sudo make install")


FOLDER = """
new={0} settings={0}/settings.toml writable={0}/recordings.conf
recordings_folder
"""


def test_problem_of_the_recordings_folder_is_reported_and_not_fatal(tmp_path):
    (tmp_path / "bin").mkdir()
    write_program(tmp_path / "bin", "python", '#!/bin/sh\n[ "$5" ] || echo "no disk: $4"\n')
    done = run(FOLDER.format(tmp_path), tmp_path)
    assert (done.returncode, done.stdout) == (0, f"broadcaster: no disk: {tmp_path}/recordings.conf\n")


REMOVE = """
source <(grep -vx main uninstall.sh)
state={0}/state films={0}/state/films recordings={0}/state/recordings
remove_state
"""


def test_uninstall_keeps_films_and_recordings(tmp_path):
    for name in ("films", "recordings"):
        (tmp_path / "state" / name).mkdir(parents=True)
        (tmp_path / "state" / name / "film.mp4").write_bytes(b"film")
    (tmp_path / "state/wish").write_text("live\n")
    write_program(tmp_path, "chown", "#!/bin/sh\n")
    assert run(REMOVE.format(tmp_path), tmp_path).returncode == 0
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["films", "recordings"]
    assert (tmp_path / "state/films/film.mp4").read_bytes() == b"film"
    assert (tmp_path / "state/recordings/film.mp4").read_bytes() == b"film"


def test_uninstall_removes_empty_folders(tmp_path):
    for name in ("films", "recordings"):
        (tmp_path / "state" / name).mkdir(parents=True)
    (tmp_path / "state/recordings/.index.sqlite").touch()
    assert run(REMOVE.format(tmp_path), tmp_path).returncode == 0
    assert not (tmp_path / "state").exists()


ELSEWHERE = """
source <(grep -vx main uninstall.sh)
command={0}/broadcaster writable={0}/recordings.conf
recordings_elsewhere
"""


def test_uninstall_names_the_recordings_elsewhere(tmp_path):
    settings = '[record]\n# Folder\nfolder = "/media/usb/my recordings"\n\n[log]\nlevel = "info"\n'
    write_program(tmp_path, "broadcaster", f"#!/bin/sh\ncat <<'END'\n{settings}END\n")
    assert run(ELSEWHERE.format(tmp_path), tmp_path).stdout == ""
    (tmp_path / "recordings.conf").touch()
    assert run(ELSEWHERE.format(tmp_path), tmp_path).stdout == "/media/usb/my recordings\n"
