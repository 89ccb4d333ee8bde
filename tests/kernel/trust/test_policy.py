"""Allow, deny and aliases: from the environment and from config.toml."""

import pytest

from latelier.contracts.errors import InvalidConfigError
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.config_file import read_policy
from latelier.kernel.trust.policy import Policy


@pytest.fixture
def path(tmp_path):
    return tmp_path / "config.toml"


def test_without_a_file_everything_is_allowed(path):
    assert read_policy({}, path) == Policy()
    assert Policy().block_reason("any", "main") is None


def test_a_home_that_is_not_a_folder_has_no_config(monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", "/dev/null")
    assert read_policy({}) == Policy()


def test_a_user_without_a_home_has_the_policy_of_the_environment(monkeypatch):
    monkeypatch.setattr("latelier.kernel.trust.config_file.config_folder", lambda: None)
    assert read_policy({}) == Policy()
    assert read_policy({"LATELIER_PLUGINS_DENY": "a"}).deny == {"a"}


def test_lists_and_aliases_are_read_from_the_file(path):
    path.write_text(
        '[plugins]\nallow = ["A_b"]\ndeny = ["c:Main"]\n[aliases]\n"sampler.ddim" = "x/ddim"\n'
        '"schedule.ddim" = "y/ddim"\n',
    )
    policy = read_policy({}, path)
    assert policy.allow == {"a-b"}
    assert policy.deny == {"c:Main"}
    assert policy.aliases_of("sampler") == {"ddim": "x/ddim"}


def test_the_environment_overrides_the_file(path):
    path.write_text('[plugins]\nallow = ["a"]\ndeny = ["b"]\n')
    variables = {"LATELIER_PLUGINS_ALLOW": " X , y:e,", "LATELIER_PLUGINS_DENY": ""}
    policy = read_policy(variables, path)
    assert policy.allow == {"x", "y:e"}
    assert policy.deny == frozenset()


def test_an_empty_allow_list_allows_only_the_built_ins(path):
    policy = read_policy({"LATELIER_PLUGINS_ALLOW": ""}, path)
    assert policy.block_reason("other", "main") == "not on the allow list"
    assert policy.block_reason("latelier", "core") is None


def test_the_built_ins_cannot_be_denied():
    assert Policy(deny=frozenset({"latelier"})).block_reason("latelier", "core") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[plugins", "cannot be read"),
        ("\xff", "cannot be read"),
        ("[plugin]\n", "there is no 'plugin'. Did you mean 'plugins'"),
        ("[plugins]\nalow = []\n", "there is no 'alow'. Did you mean 'allow'"),
        ("plugins = 3\n", "expected a table, found 3"),
        ("[plugins]\ndeny = 'x'\n", "allow and deny are lists of names, not 'x'"),
        ("[plugins]\nallow = [1]\n", "allow and deny are lists of names"),
        (
            "[aliases]\nsampler.ddim = 'x/ddim'\n",
            "expected \"kind.name\" = .* found sampler = {'ddim'",
        ),
        ("aliases = []\n", "expected a table"),
        ("[plugins]\nlock = ['a']\n", "lock is the path of a lock, not"),
    ],
)
def test_an_invalid_file_is_an_error(path, text, message):
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidConfigError, match=message) as caught:
        read_policy({}, path)
    assert str(path) in str(caught.value)


def test_an_alias_of_an_unknown_kind_is_an_error():
    policy = Policy(aliases={"samplers.ddim": "x/ddim"})
    with pytest.raises(InvalidConfigError, match=r"no kind 'samplers'\. Did you mean 'sampler'"):
        Atelier(policy=policy, candidates=[])


def test_an_atelier_reads_the_policy_of_the_environment(site, publish_healthy, monkeypatch):
    publish_healthy()
    monkeypatch.setenv("LATELIER_PLUGINS_DENY", "latelier_healthy")
    assert Atelier(candidates=site.candidates()).plugins[0].state == "disabled"


@pytest.mark.parametrize(
    ("text", "variables", "fix"),
    [
        ('deny = ["a"]', {}, "`latelier plugins enable a`"),
        ('deny = ["a:main"]', {}, "`latelier plugins enable a:main`"),
        ('allow = ["b"]', {}, "`latelier plugins enable a:main`"),
        ("", {"LATELIER_PLUGINS_DENY": "a"}, "take it off LATELIER_PLUGINS_DENY"),
        ("", {"LATELIER_PLUGINS_ALLOW": "b"}, "put it on LATELIER_PLUGINS_ALLOW"),
    ],
)
def test_the_block_reason_says_how_to_allow_a_plugin(path, text, variables, fix):
    path.write_text(f"[plugins]\n{text}\n")
    policy = read_policy(variables, path)
    assert policy.block_reason("a", "main")
    assert policy.fix_hint("a", "main") == fix


@pytest.mark.parametrize(
    ("text", "variables", "lock"),
    [
        ("", {}, None),
        ('lock = "mine.lock"', {}, "{home}/mine.lock"),
        ('lock = "/etc/mine.lock"', {}, "/etc/mine.lock"),
        ('lock = "mine.lock"', {"LATELIER_LOCK": "/other.lock"}, "/other.lock"),
        ('lock = "mine.lock"', {"LATELIER_LOCK": ""}, None),
    ],
)
def test_the_active_lock_is_chosen_by_environment_and_file(path, text, variables, lock):
    path.write_text(f"[plugins]\n{text}\n")
    found = read_policy(variables, path).lock
    assert (found and str(found)) == (lock and lock.format(home=path.parent))
