"""The kinds of remotes fsspec can reach, and DVC's options in fsspec's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from exprun.errors import StoreError
from exprun.model.values import dataclass

Options = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How to reach one kind of remote: fsspec's name for it, what to install, its options."""

    fsspec: str
    install: str
    options: Callable[[Options, str], dict[str, object]]


def _renamed(config: Options, names: Mapping[str, str]) -> dict[str, object]:
    """The options that are set, under fsspec's names."""
    return {new: config[old] for old, new in names.items() if config.get(old)}


def _s3_options(config: Options, url: str) -> dict[str, object]:
    options = _renamed(
        config,
        {
            "profile": "profile",
            "access_key_id": "key",
            "secret_access_key": "secret",
            "session_token": "token",
            "allow_anonymous_login": "anon",
        },
    )
    client = _renamed(config, {"endpointurl": "endpoint_url", "region": "region_name"})
    if "ssl_verify" in config:
        client["verify"] = config["ssl_verify"]
    if "use_ssl" in config:
        options["use_ssl"] = config["use_ssl"]
    return {**options, "client_kwargs": client}


def _gs_options(config: Options, url: str) -> dict[str, object]:
    options = _renamed(
        config,
        {"projectname": "project", "credentialpath": "token", "endpointurl": "endpoint_url"},
    )
    return {"token": "anon"} if config.get("allow_anonymous_login") else options


def _azure_options(config: Options, url: str) -> dict[str, object]:
    names = (
        "connection_string",
        "account_name",
        "account_key",
        "sas_token",
        "tenant_id",
        "client_id",
        "client_secret",
    )
    anonymous = bool(config.get("allow_anonymous_login"))
    return {**_renamed(config, {name: name for name in names}), "anon": anonymous}


def _ssh_options(config: Options, url: str) -> dict[str, object]:
    from urllib.parse import urlsplit

    place = urlsplit(url)
    found: dict[str, object] = {"host": place.hostname or ""}
    if place.username:
        found["username"] = place.username
    if place.port:
        found["port"] = place.port
    names = {"user": "username", "port": "port", "password": "password", "passphrase": "passphrase"}
    found |= _renamed(config, names)
    if keyfile := config.get("keyfile"):
        found["client_keys"] = [keyfile]
    return found


def _http_options(config: Options, url: str) -> dict[str, object]:
    headers: dict[str, str] = {}
    user, password = (str(config.get(key, "")) for key in ("user", "password"))
    match config.get("auth"):
        case "basic":
            from base64 import b64encode

            headers["Authorization"] = "Basic " + b64encode(f"{user}:{password}".encode()).decode()
        case "custom":
            headers[str(config["custom_auth_header"])] = password
        case None:
            pass
        case other:
            raise StoreError(f"http authentication {other!r} is not supported")
    return {"client_kwargs": {"headers": headers}} if headers else {}


def _no_options(config: Options, url: str) -> dict[str, object]:
    return {}


_S3 = Protocol(fsspec="s3", install="exprun[s3]", options=_s3_options)
_GS = Protocol(fsspec="gs", install="exprun[gs]", options=_gs_options)
_AZURE = Protocol(fsspec="abfs", install="exprun[azure]", options=_azure_options)
_SSH = Protocol(fsspec="ssh", install="exprun[ssh]", options=_ssh_options)
_HTTP = Protocol(fsspec="http", install="fsspec[http]", options=_http_options)
PROTOCOLS = {
    "s3": _S3,
    "gs": _GS,
    "gcs": _GS,
    "azure": _AZURE,
    "abfs": _AZURE,
    "ssh": _SSH,
    "sftp": _SSH,
    "http": _HTTP,
    "https": _HTTP,
    "memory": Protocol(fsspec="memory", install="exprun", options=_no_options),
}
