"""Which options DVC's configuration has, and what their values may be (``dvc.config_schema``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Check = Callable[[object], object]
    """The value as typed, or ValueError saying what was expected."""


def text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("expected one value; quote it if it holds a comma")
    return value


def lower(value: object) -> str:
    return text(value).lower()


def boolean(value: object) -> bool:
    if lower(value) not in ("true", "false"):
        raise ValueError("expected true or false")
    return lower(value) == "true"


def boolean_or_text(value: object) -> bool | str:
    try:
        return boolean(value)
    except ValueError:
        return text(value)


def integer(value: object) -> int:
    try:
        return int(text(value))
    except ValueError:
        raise ValueError("expected a whole number") from None


def positive(value: object) -> int:
    if integer(value) < 1:
        raise ValueError("expected a number of at least 1")
    return integer(value)


def number(value: object) -> float:
    try:
        return float(text(value))
    except ValueError:
        raise ValueError("expected a number") from None


def duration(value: object) -> float:
    if not number(value) >= 0:
        raise ValueError("expected a number of at least 0")
    return number(value)


def percentage(value: object) -> int:
    if not 0 <= integer(value) <= 100:
        raise ValueError("expected a number from 0 to 100")
    return integer(value)


def never(value: object) -> object:
    """For options that DVC declares with a type which a configuration file cannot hold."""
    raise ValueError("DVC does not accept this option in a configuration file")


def one_of(*choices: str) -> Check:
    def check(value: object) -> str:
        if lower(value) not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}")
        return lower(value)

    return check


def link_types(value: object) -> tuple[str, ...]:
    types = value if isinstance(value, tuple) else tuple(t.strip() for t in text(value).split(","))
    for type_ in types:
        if type_ not in ("reflink", "hardlink", "symlink", "copy"):
            raise ValueError(f"'{type_}' is not one of reflink, hardlink, symlink, copy")
    return types


REMOTE_COMMON: Mapping[str, Check] = {
    "url": text,
    "checksum_jobs": positive,
    "jobs": positive,
    "worktree": boolean,
    "no_traverse": boolean,
    "version_aware": boolean,
}
LOCAL: Mapping[str, Check] = {
    "type": link_types,
    "protected": boolean,
    "shared": one_of("group"),
    "slow_link_warning": boolean,
    "verify": boolean,
}
HTTP: Mapping[str, Check] = {
    "auth": one_of("basic", "digest", "custom"),
    "custom_auth_header": text,
    "user": text,
    "password": text,
    "ask_password": boolean,
    "ssl_verify": boolean_or_text,
    "method": text,
    "connect_timeout": duration,
    "read_timeout": duration,
    "verify": boolean,
}
WEBDAV: Mapping[str, Check] = {
    "user": text,
    "password": text,
    "ask_password": boolean,
    "token": text,
    "bearer_token_command": text,
    "custom_auth_header": text,
    "cert_path": text,
    "key_path": text,
    "timeout": integer,
    "ssl_verify": boolean_or_text,
    "verify": boolean,
}
S3: Mapping[str, Check] = {
    "region": text,
    "profile": text,
    "credentialpath": text,
    "configpath": text,
    "endpointurl": text,
    "access_key_id": text,
    "secret_access_key": text,
    "session_token": text,
    "listobjects": boolean,
    "use_ssl": boolean,
    "allow_anonymous_login": boolean,
    "ssl_verify": boolean_or_text,
    "sse": text,
    "sse_kms_key_id": text,
    "sse_customer_algorithm": text,
    "sse_customer_key": text,
    "acl": text,
    "grant_read": text,
    "grant_read_acp": text,
    "grant_write_acp": text,
    "grant_full_control": text,
    "cache_regions": never,
    "read_timeout": integer,
    "connect_timeout": integer,
    "verify": boolean,
}
GS: Mapping[str, Check] = {
    "projectname": text,
    "credentialpath": text,
    "endpointurl": text,
    "verify": boolean,
    "allow_anonymous_login": boolean,
}
SSH: Mapping[str, Check] = {
    "type": link_types,
    "port": integer,
    "user": text,
    "password": text,
    "ask_password": boolean,
    "passphrase": text,
    "ask_passphrase": boolean,
    "keyfile": text,
    "timeout": integer,
    "gss_auth": boolean,
    "allow_agent": boolean,
    "max_sessions": integer,
    "verify": boolean,
}
HDFS: Mapping[str, Check] = {"user": text, "kerb_ticket": text, "replication": never}
WEBHDFS: Mapping[str, Check] = {
    "kerberos": boolean,
    "kerberos_principal": text,
    "proxy_to": text,
    "ssl_verify": boolean_or_text,
    "token": text,
    "use_https": boolean,
    "user": text,
    "password": text,
    "data_proxy_target": text,
    "verify": boolean,
}
AZURE: Mapping[str, Check] = {
    "connection_string": text,
    "sas_token": text,
    "account_name": text,
    "account_key": text,
    "tenant_id": text,
    "client_id": text,
    "client_secret": text,
    "allow_anonymous_login": boolean,
    "exclude_environment_credential": boolean,
    "exclude_visual_studio_code_credential": boolean,
    "exclude_shared_token_cache_credential": boolean,
    "exclude_managed_identity_credential": boolean,
    "verify": boolean,
    "timeout": integer,
    "read_timeout": integer,
    "connection_timeout": integer,
}
OSS: Mapping[str, Check] = {
    "oss_key_id": text,
    "oss_key_secret": text,
    "oss_endpoint": text,
    "verify": boolean,
}
GDRIVE: Mapping[str, Check] = {
    "profile": text,
    "gdrive_use_service_account": boolean,
    "gdrive_client_id": text,
    "gdrive_client_secret": text,
    "gdrive_user_credentials_file": text,
    "gdrive_service_account_user_email": text,
    "gdrive_service_account_json_file_path": text,
    "gdrive_trash_only": boolean,
    "gdrive_acknowledge_abuse": boolean,
    "verify": boolean,
}
REMOTES: Mapping[str, Mapping[str, Check] | None] = {
    "": LOCAL,
    "s3": S3,
    "gs": GS,
    "ssh": SSH,
    "hdfs": HDFS,
    "webhdfs": WEBHDFS,
    "azure": AZURE,
    "oss": OSS,
    "gdrive": GDRIVE,
    "http": HTTP,
    "https": HTTP,
    "webdav": WEBDAV,
    "webdavs": WEBDAV,
    "remote": None,
}
"""What a remote may be told, by the scheme of its URL; None for anything at all."""

PROTOCOLS = ("local", "s3", "gs", "hdfs", "webhdfs", "ssh", "azure")

SECTIONS: Mapping[str, Mapping[str, Check]] = {
    "core": {
        "remote": lower,
        "checksum_jobs": positive,
        "interactive": boolean,
        "analytics": boolean,
        "hardlink_lock": boolean,
        "no_scm": boolean,
        "autostage": boolean,
        "experiments": boolean,
        "check_update": boolean,
        "site_cache_dir": text,
        "machine": lower,
    },
    "cache": {**LOCAL, "dir": text, **dict.fromkeys(PROTOCOLS, text)},
    "state": {"dir": text, "row_limit": positive, "row_cleanup_quota": percentage},
    "index": {"dir": text},
    "plots": {"html_template": text, "auto_open": boolean, "out_dir": text},
    "exp": {
        **dict.fromkeys(("code", "data", "models", "metrics", "params", "plots", "live"), text),
        "auto_push": boolean,
        "git_remote": text,
    },
    "parsing": {
        "bool": one_of("store_true", "boolean_optional"),
        "list": one_of("nargs", "append"),
    },
    "hydra": {
        "enabled": boolean,
        "config_dir": text,
        "config_module": text,
        "config_name": text,
        "plugins_path": text,
    },
    "studio": {"token": text, "url": text, "repo_url": text, "offline": boolean},
}
"""The options of each section but ``feature``, where DVC ignores what it does not know."""

FEATURES: Mapping[str, Check] = {"machine": boolean}

NAMED_SECTIONS: Mapping[str, Mapping[str, Check]] = {
    "machine": {
        "cloud": one_of("aws", "azure"),
        "region": one_of("us-west", "us-east", "eu-west", "eu-north"),
        "image": text,
        "spot": boolean,
        "spot_price": number,
        "instance_hdd_size": integer,
        "instance_type": lower,
        "instance_gpu": lower,
        "ssh_private": text,
        "startup_script": text,
        "setup_script": text,
    },
    "db": {"url": text, "username": text, "password": text},
}
"""Sections that have a name, such as ``['db "orders"']``. Remotes are apart: see `REMOTES`."""

PATH_OPTIONS: Mapping[str, frozenset[str]] = {
    "cache": frozenset({"dir"}),
    "remote": frozenset(
        {
            "url",
            "gdrive_user_credentials_file",
            "gdrive_service_account_json_file_path",
            "credentialpath",
            "configpath",
            "keyfile",
            "cert_path",
            "key_path",
        }
    ),
    "machine": frozenset({"startup_script", "setup_script"}),
}
"""The options that are paths, relative to the file that sets them."""
