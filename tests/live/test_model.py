"""Any life of accounts and viewers: what each may do on the wire is what a model says.

Users are made, changed and removed over KasmVNC's API, and by edits of the file,
while they leave and come back.  After each step everybody presses a key of his own
and the desktop changes its picture: who is heard, and who sees?
"""

from __future__ import annotations

from functools import partial
from typing import Iterator, NamedTuple, Optional

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from kasmd.rfb.client import FenceSent, UpdateReceived
from tests.live.daemon import Daemon
from tests.live.painter import Painter
from tests.live.programs import eventually
from tests.live.rawviewer import RawViewer, websocket
from tests.live.web import Answer, get, post

#: Keys that type nothing: Shift, Control and Alt.
KEYS = {"ann": 0xFFE1, "bob": 0xFFE3, "cleo": 0xFFE9}
PROTECTION_OFF = """\
security:
  brute_force_protection:
    blacklist_threshold: 0
"""

names = st.sampled_from(list(KEYS))
flags = st.booleans()
maybe = st.none() | flags


class Rights(NamedTuple):
    """What the model knows of one user."""

    read: bool
    write: bool
    owner: bool

    @property
    def letters(self) -> str:
        return "".join(name[0] for name, held in self._asdict().items() if held)


some = st.builds(Rights, flags, flags, flags)
several = st.dictionaries(names, some, min_size=1)
everybody = st.fixed_dictionaries({"ann": some, "bob": some}, optional={"cleo": some})


def changed(before: Rights, read: Optional[bool], write: Optional[bool],
            owner: Optional[bool]) -> Rights:
    """Give ``before`` with what was said: who writes reads, who may not read may not write."""
    writes = before.write if write is None else write
    if read is False and not write:
        writes = False
    reads = before.read if read is None else read
    return Rights(reads or writes, writes, before.owner if owner is None else owner)


def said(**values: Optional[bool]) -> str:
    return "".join(f"&{key}={str(value).lower()}" for key, value in values.items()
                   if value is not None)


class Life(RuleBasedStateMachine):
    """The daemon beside the model: ``users``, and who of them is there."""

    def __init__(self, daemon: Daemon, painter: Painter) -> None:
        super().__init__()
        self.daemon, self.painter = daemon, painter
        self.users: dict[str, Rights] = {}
        self.held: set[str] = set()
        self.viewers: dict[str, RawViewer] = {}
        self._edit(dict.fromkeys(KEYS, Rights(True, True, False)))
        self.witness = self._viewer("owner")
        self._come()

    def teardown(self) -> None:
        for viewer in (self.witness, *self.viewers.values()):
            viewer.__exit__()
        self._wait_held(0)

    # What happens.

    @rule(name=names, rights=some)
    def create(self, name: str, rights: Rights) -> None:
        answer = self._get(f"create_user?name={name}&password=password{said(**rights._asdict())}")
        if self._expect(answer, name not in self.users):
            self.users[name] = changed(rights, None, None, None)
        self._check()

    @rule(users=several)
    def create_each(self, users: dict[str, Rights]) -> None:
        given = [{"user": name, "password": "password", **rights._asdict()}
                 for name, rights in users.items()]
        self._expect(self._post("create_user", given), True)
        self.users.update((name, changed(rights, None, None, None))
                          for name, rights in users.items())
        self._check()

    @rule(name=names, read=maybe, write=maybe, owner=maybe)
    def update(self, name: str, read: Optional[bool], write: Optional[bool],
               owner: Optional[bool]) -> None:
        told = said(read=read, write=write, owner=owner)
        answer = self._get(f"update_user?name={name}{told}")
        if self._expect(answer, bool(told) and name in self.users):
            self.users[name] = changed(self.users[name], read, write, owner)
        self._check()

    @rule(users=several)
    def update_each(self, users: dict[str, Rights]) -> None:
        given = [{"user": name, **rights._asdict()} for name, rights in users.items()]
        if self._expect(self._post("update_user", given), self.users.keys() >= users.keys()):
            self.users.update((name, changed(self.users[name], *rights))
                              for name, rights in users.items())
        self._check()

    @rule(name=names)
    def remove(self, name: str) -> None:
        if self._expect(self._get(f"remove_user?name={name}"), name in self.users):
            del self.users[name]
        self._check()

    @rule(gone=st.sets(names, min_size=1))
    def remove_each(self, gone: set[str]) -> None:
        answer = self._post("remove_user", [{"user": name} for name in gone])
        if self._expect(answer, self.users.keys() >= gone):
            for name in gone:
                del self.users[name]
        self._check()

    @rule(users=everybody)
    def edit(self, users: dict[str, Rights]) -> None:
        self._edit({name: changed(rights, None, None, None) for name, rights in users.items()})
        self._check()

    @rule(name=names)
    def leave(self, name: str) -> None:
        """He is back before the next step, if he may."""
        if name in self.viewers:
            self.viewers.pop(name).__exit__()
            self.held.discard(name)
        self._check()

    # What must be true.

    def _check(self) -> None:
        for name in [name for name in self.viewers if name not in self.users]:
            assert self.viewers.pop(name).wait_for_end().code == 1008
            self.held.discard(name)
        assert self._listed() == self.users
        self._check_keys()
        self._check_pictures()
        for name, rights in self.users.items():
            manages = get(self.daemon.port, "/api/get_users", name).status == 200
            assert manages == rights.owner
        self._come()

    def _check_keys(self) -> None:
        self.held = {name for name in self.held if self.users[name].write}
        self._wait_held(len(self.held))
        for name, viewer in self.viewers.items():
            viewer.session.send_key(True, KEYS[name])
            viewer.settle()
        self.held = {name for name in self.viewers if self.users[name].write}
        self._wait_held(len(self.held))

    def _check_pictures(self) -> None:
        since = {name: len(viewer.events) for name, viewer in self.viewers.items()}
        self.painter.do("blink 0 0")
        for name, viewer in self.viewers.items():
            if self.users[name].read:
                viewer.wait_for(UpdateReceived, since[name])
        seen = len(self.witness.updates)
        self.witness.wait_until(lambda: len(self.witness.updates) > seen, "the owner sees")
        self.painter.do("size")
        for name, viewer in self.viewers.items():
            viewer.settle()
            told = {type(event) for event in viewer.events[since[name]:]}
            assert self.users[name].read or told == {FenceSent}

    def _come(self) -> None:
        for name in KEYS:
            if name not in self.users:
                with pytest.raises(AssertionError, match="401"):
                    self._viewer(name)
            elif name not in self.viewers:
                self.viewers[name] = self._viewer(name)

    def _wait_held(self, count: int) -> None:
        held = partial(self.painter.do, "held")
        eventually(lambda: int(held().split()[0]) == count, f"{count} keys are down")

    # How it is done.

    def _edit(self, users: dict[str, Rights]) -> None:
        letters = {name: rights.letters for name, rights in users.items()}
        self.daemon.set_accounts({"owner": "rwo", **letters})
        self.users = users
        eventually(lambda: self._listed() == users, "the file is read")

    def _listed(self) -> dict[str, Rights]:
        answer = get(self.daemon.port, "/api/get_users", "owner")
        assert answer.status == 200
        users = {user.pop("user"): Rights(**user) for user in answer.json}
        assert users.pop("owner") == Rights(True, True, True)
        return users

    def _viewer(self, name: str) -> RawViewer:
        return RawViewer(websocket(self.daemon.port, name, tls=False))

    def _get(self, target: str) -> Answer:
        return get(self.daemon.port, f"/api/{target}", "owner")

    def _post(self, target: str, value: object) -> Answer:
        return post(self.daemon.port, f"/api/{target}", value, "owner")

    def _expect(self, answer: Answer, right: bool) -> bool:
        assert answer.status == (200 if right else 400), answer
        return right


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("model")
    with Daemon(folder, PROTECTION_OFF, require_ssl=False, accounts={"owner": "rwo"}) as daemon:
        yield daemon


def test_rights_are_the_models(daemon: Daemon) -> None:
    with Painter(daemon.x_environment) as painter:
        # A daemon cannot be wound back, so what failed is not made smaller.
        run_state_machine_as_test(
            partial(Life, daemon, painter),
            settings=settings(max_examples=12, stateful_step_count=20, deadline=None,
                              phases=[Phase.generate], database=None,
                              suppress_health_check=list(HealthCheck)),
        )
