"""`starling tls dev`: an authority and a certificate that other people's TLS takes, and files that are left alone."""

import datetime
import os
import pathlib
import socket
import ssl
import subprocess
import threading

import pytest

from harness import BINARY, DEADLINE, daemon_environment

NAMES = ["app.test", "*.app.test", "10.1.2.3", "fd00::1"]


def make(home: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([BINARY, "tls", "dev", *arguments], cwd=home, env=daemon_environment(HOME=str(home)), text=True,
                          capture_output=True, timeout=DEADLINE, stdin=subprocess.DEVNULL)


def openssl(*arguments: object) -> str:
    done = subprocess.run(["openssl", *map(str, arguments)], text=True, capture_output=True, timeout=DEADLINE)
    return done.stdout + done.stderr


def contents(directory: pathlib.Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> pathlib.Path:
    home = tmp_path_factory.mktemp("home")
    done = make(home, *NAMES, "--directory", "tls")
    assert done.returncode == 0 and not done.stderr, done.stderr
    directory = home / "tls"
    for path in ("ca.pem", "localhost.pem", "localhost-key.pem"):
        assert str(directory / path) in done.stdout, done.stdout
    for words in ("update-ca-certificates", "update-ca-trust", "add-trusted-cert", "Firefox", "NODE_EXTRA_CA_CERTS=",
                  f"starling serve --tls-certificate {directory}/localhost.pem --tls-key {directory}/localhost-key.pem"):
        assert words in done.stdout, done.stdout
    return directory


def test_the_keys_are_the_owners_alone(made):
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in made.iterdir()} == {
        "ca.pem": "0o644", "ca-key.pem": "0o600", "localhost.pem": "0o644", "localhost-key.pem": "0o600"}
    assert oct(made.stat().st_mode & 0o777) == "0o700"


def test_openssl_verifies_it_strictly(made):
    assert ": OK" in openssl("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", made / "ca.pem",
                             made / "localhost.pem")
    assert "expired" in openssl("verify", "-attime", int(datetime.datetime.now().timestamp()) + 398 * 86400, "-CAfile",
                                made / "ca.pem", made / "localhost.pem")
    leaf = openssl("x509", "-in", made / "localhost.pem", "-noout", "-text")
    assert "P-256" in leaf and "TLS Web Server Authentication" in leaf and "CA:FALSE" in leaf, leaf
    authority = openssl("x509", "-in", made / "ca.pem", "-noout", "-text")
    assert "CA:TRUE, pathlen:0" in authority and "Name Constraints: critical" in authority, authority


def shake(made: pathlib.Path, name: str) -> str | None:
    """Python's own TLS on both sides; what the client said against it."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=made / "ca.pem")
    server.load_cert_chain(made / "localhost.pem", made / "localhost-key.pem")
    theirs, ours = socket.socketpair()

    def answer() -> None:
        try:
            server.wrap_socket(theirs, server_side=True).close()
        except (ssl.SSLError, OSError):
            theirs.close()

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        ours.settimeout(DEADLINE)
        client.wrap_socket(ours, server_hostname=name).close()
        return None
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    finally:
        ours.close()
        thread.join(DEADLINE)


@pytest.mark.parametrize("name, is_taken", [
    ("localhost", True), ("127.0.0.1", True), ("::1", True), ("app.test", True), ("x.app.test", True), ("10.1.2.3", True),
    ("fd00::1", True), ("x.localhost", False), ("a.x.app.test", False), ("127.0.0.2", False), ("example.com", False)])
def test_clients_take_it_for_its_names_only(made, name, is_taken):
    said = shake(made, name)
    assert (said is None) == is_taken, said


def test_a_second_run_changes_nothing(made):
    before = contents(made)
    done = make(made.parent, "--directory", str(made), "app.test")
    assert done.returncode == 0 and done.stdout.count("(kept") == 2, done.stdout + done.stderr
    assert contents(made) == before


def test_a_further_name_is_added_under_the_same_authority(tmp_path):
    assert make(tmp_path, "one.test").returncode == 0
    directory = tmp_path / ".local/share/starling/tls"
    before = contents(directory)
    done = make(tmp_path, "two.test")
    assert done.returncode == 0 and "one.test, two.test" in done.stdout, done.stdout
    after = contents(directory)
    assert after["ca.pem"] == before["ca.pem"] and after["localhost.pem"] != before["localhost.pem"]
    assert shake(directory, "one.test") is None and shake(directory, "two.test") is None


def test_the_authority_signs_for_no_name_it_was_not_made_for(tmp_path):
    """Who steals its key cannot pass for the rest of the web."""
    assert make(tmp_path, "www.example.com", "--directory", "d").returncode == 0
    before = contents(tmp_path / "d")
    done = make(tmp_path, "bank.com", "--directory", "d")
    assert done.returncode == 1 and "it was made for other names" in done.stderr and not done.stdout, done
    assert contents(tmp_path / "d") == before
    # Nor does anybody else by hand.
    directory = tmp_path / "d"
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", tmp_path / "k",
            "-subj", "/CN=bank.com", "-addext", "subjectAltName=DNS:bank.com", "-out", tmp_path / "r")
    openssl("x509", "-req", "-in", tmp_path / "r", "-CA", directory / "ca.pem", "-CAkey", directory / "ca-key.pem",
            "-copy_extensions", "copy", "-out", tmp_path / "c")
    assert "permitted subtree violation" in openssl("verify", "-CAfile", directory / "ca.pem", tmp_path / "c")


def own_pair(directory: pathlib.Path, name: str) -> None:
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            directory / f"{name}-key.pem", "-out", directory / f"{name}.pem", "-subj", "/CN=mine", "-days", "365")


@pytest.mark.parametrize("there", ["ca", "localhost", "both", "text", "link", "directory", "half", "other key"])
def test_what_is_not_from_here_stays(tmp_path, there):
    directory = tmp_path / "d"
    directory.mkdir()
    match there:
        case "ca" | "localhost":
            own_pair(directory, there)
        case "both":
            assert make(tmp_path, "--directory", "d").returncode == 0
            own_pair(directory, "localhost")
        case "text":
            (directory / "ca.pem").write_text("precious")
            (directory / "ca-key.pem").write_text("precious")
        case "link":
            (directory / "localhost.pem").symlink_to("nowhere")
        case "directory":
            (directory / "localhost-key.pem").mkdir()
        case "half":
            assert make(tmp_path, "--directory", "d").returncode == 0
            (directory / "ca-key.pem").unlink()
        case "other key":
            assert make(tmp_path, "--directory", "d").returncode == 0
            (directory / "localhost-key.pem").write_bytes((directory / "ca-key.pem").read_bytes())

    def seen() -> dict[str, object]:
        return {path.name: os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else "directory"
                for path in directory.iterdir()}

    before = seen()
    done = make(tmp_path, "new.test", "--directory", "d")
    assert done.returncode == 1 and str(directory) in done.stderr and not done.stdout, done
    assert seen() == before


def test_a_directory_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    done = make(tmp_path, "--directory", "file/d")
    assert done.returncode == 1 and "Not a directory" in done.stderr, done


def test_the_broker_starts_with_it(made):
    done = subprocess.run([BINARY, "config", "check", f"--tls-certificate={made}/localhost.pem",
                           f"--tls-key={made}/localhost-key.pem"], env=daemon_environment(HOME=str(made)), text=True,
                          capture_output=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
