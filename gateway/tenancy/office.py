"""Everything that administers, built over one database. The routes and the commands use it."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.errors import SettingsError
from zhengwu.gateway.audit.admin import ChainedActions
from zhengwu.gateway.audit.chain import Chain
from zhengwu.gateway.audit.opened import open_chain
from zhengwu.gateway.signin.account import Account
from zhengwu.gateway.signin.factor import Factors
from zhengwu.gateway.signin.lockout import Lockout
from zhengwu.gateway.signin.oidc import OidcSignIn, RoleMap
from zhengwu.gateway.signin.password import Passwords
from zhengwu.gateway.signin.provider import Client, Provider
from zhengwu.gateway.signin.sealed import Seal, seal_key
from zhengwu.gateway.signin.sessions import Sessions
from zhengwu.gateway.signin.sign_in import SignIn
from zhengwu.gateway.tenancy.actions import AdminTrail, AdminWrites, TableTrail
from zhengwu.gateway.tenancy.addresses import AddressBook
from zhengwu.gateway.tenancy.changes import Changes
from zhengwu.gateway.tenancy.keys import ApiKeys
from zhengwu.gateway.tenancy.tenants import Tenants
from zhengwu.gateway.tenancy.users import Users
from zhengwu.outbound import Outbound
from zhengwu.settings import Settings


@dataclass(frozen=True)
class Office:
    """What administrators work with."""

    writes: AdminWrites
    keys: ApiKeys
    tenants: Tenants
    users: Users
    addresses: AddressBook


@dataclass(frozen=True)
class Door:
    """Where people come in."""

    sign_in: SignIn
    sessions: Sessions
    account: Account
    oidc: OidcSignIn | None


def action_trail(settings: Settings, engine: AsyncEngine, chain: Chain | None = None) -> AdminTrail:
    """Administrative actions in their table and in the chain of audit records, or in neither."""
    return ChainedActions(chain or open_chain(settings, engine), TableTrail())


def open_office(
    settings: Settings,
    engine: AsyncEngine,
    changes: Changes | None = None,
    passwords: Passwords | None = None,
    trail: AdminTrail | None = None,
) -> Office:
    """The office of one database. Without `changes` nobody in this process listens."""
    writes = AdminWrites(
        engine, changes or Changes(engine), trail or action_trail(settings, engine)
    )
    return Office(
        writes=writes,
        keys=ApiKeys(writes),
        tenants=Tenants(writes),
        users=Users(writes, passwords or Passwords()),
        addresses=AddressBook(writes, settings.pool_addresses),
    )


def open_door(
    settings: Settings,
    engine: AsyncEngine,
    office: Office,
    outbound: Outbound,
    passwords: Passwords | None = None,
) -> Door:
    """The door of one database. The seal's key is made on disk if it is given nowhere.

    `outbound`: for the purpose `sign_in`.
    """
    passwords = passwords or Passwords()
    given = settings.secret_key.get_secret_value() if settings.secret_key else None
    factors, lockout = Factors(Seal(seal_key(given, settings.home))), Lockout(engine)
    sessions = Sessions(engine)
    return Door(
        sign_in=SignIn(engine, office.writes, passwords, lockout, factors, sessions),
        sessions=sessions,
        account=Account(office.writes, passwords, factors, sessions, lockout),
        oidc=_oidc(settings, office, sessions, outbound),
    )


def _oidc(
    settings: Settings, office: Office, sessions: Sessions, outbound: Outbound
) -> OidcSignIn | None:
    if settings.oidc_issuer is None:
        return None
    if settings.oidc_redirect_url is None:
        raise SettingsError(
            "已设置 ZHENGWU_OIDC_ISSUER，还需设置 ZHENGWU_OIDC_REDIRECT_URL，"
            "例如 https://ai.example.gov.cn/api/admin/oidc/callback"
        )
    secret = settings.oidc_client_secret
    client = Client(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=secret.get_secret_value() if secret else None,
        redirect_url=settings.oidc_redirect_url,
        scopes=settings.oidc_scopes,
    )
    roles = RoleMap(settings.oidc_role_claim, settings.oidc_roles, settings.oidc_tenant)
    return OidcSignIn(Provider(client, outbound), roles, office.writes, sessions)
