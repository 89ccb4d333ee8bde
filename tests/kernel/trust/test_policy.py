"""Allow, deny and aliases: from the environment and from config.toml."""

import pytest

from latelier.contracts.errors import InvalidConfigError
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.config_file import config_file
from latelier.kernel.trust.policy import Policy, read_policy


@pytest.fixture
def home(tmp_path):
    """An environment whose config.toml is what is written to `home["file"]`."""
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    config_file(environment).parent.mkdir()
    return environment


def write(home, text):
    config_file(home).write_text(text)


def test_without_a_file_everything_is_allowed(home):
    assert read_policy(home) == Policy()
    assert Policy().refusal("any", "main") is None


def test_a_home_that_is_no_folder_holds_no_file():
    assert read_policy({"XDG_CONFIG_HOME": "/dev/null"}) == Policy()


def test_lists_and_aliases_of_the_file(home):
    write(
        home,
        '[plugins]\nallow = ["A_b"]\ndeny = ["c:Main"]\n[aliases]\n"sampler.ddim" = "x/ddim"\n'
        '"schedule.ddim" = "y/ddim"\n',
    )
    policy = read_policy(home)
    assert policy.allow == {"a-b"}
    assert policy.deny == {"c:Main"}
    assert policy.aliases_of("sampler") == {"ddim": "x/ddim"}


def test_the_environment_wins_over_the_file(home):
    write(home, '[plugins]\nallow = ["a"]\ndeny = ["b"]\n')
    policy = read_policy(
        {**home, "LATELIER_PLUGINS_ALLOW": " X , y:e,", "LATELIER_PLUGINS_DENY": ""}
    )
    assert policy.allow == {"x", "y:e"}
    assert policy.deny == frozenset()


def test_an_empty_allow_list_allows_the_built_ins_alone(home):
    policy = read_policy({**home, "LATELIER_PLUGINS_ALLOW": ""})
    assert policy.refusal("other", "main") == "not on the allow list"
    assert policy.refusal("latelier", "core") is None


def test_the_built_ins_cannot_be_denied():
    assert Policy(deny=frozenset({"latelier"})).refusal("latelier", "core") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[plugins", "cannot be read"),
        ("\xff", "cannot be read"),
        ("[plugin]\n", "there is no 'plugin'. Did you mean 'plugins'"),
        ("[plugins]\nalow = []\n", "there is no 'alow'. Did you mean 'allow'"),
        ("plugins = 3\n", "expected a table, found 3"),
        ("[plugins]\ndeny = 'x'\n", "allow and deny are lists of names, not 'x'"),
        ("[plugins]\nallow = [1]\n", "allow and deny are lists of names"),
        ("[aliases]\nsampler.ddim = 'x/ddim'\n", "an alias reads .* not sampler = {'ddim'"),
        ("aliases = []\n", "expected a table"),
        ("[plugins]\nlock = ['a']\n", "lock is the path of a lock, not"),
    ],
)
def test_a_file_that_is_wrong(home, text, said):
    config_file(home).write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidConfigError, match=said) as caught:
        read_policy(home)
    assert str(config_file(home)) in str(caught.value)


def test_an_alias_of_an_unknown_kind():
    policy = Policy(aliases={"samplers.ddim": "x/ddim"})
    with pytest.raises(InvalidConfigError, match=r"no kind 'samplers'\. Did you mean 'sampler'"):
        Atelier(policy=policy, candidates=[])


def test_an_atelier_reads_the_policy_of_the_environment(site, publish_healthy, monkeypatch):
    publish_healthy()
    monkeypatch.setenv("LATELIER_PLUGINS_DENY", "latelier_healthy")
    assert Atelier(candidates=site.candidates()).plugins[0].state == "disabled"


@pytest.mark.parametrize(
    ("text", "variables", "remedy"),
    [
        ('deny = ["a"]', {}, "`latelier plugins enable a`"),
        ('deny = ["a:main"]', {}, "`latelier plugins enable a:main`"),
        ('allow = ["b"]', {}, "`latelier plugins enable a:main`"),
        ("", {"LATELIER_PLUGINS_DENY": "a"}, "take it off LATELIER_PLUGINS_DENY"),
        ("", {"LATELIER_PLUGINS_ALLOW": "b"}, "put it on LATELIER_PLUGINS_ALLOW"),
    ],
)
def test_what_would_let_it_in(home, text, variables, remedy):
    write(home, f"[plugins]\n{text}\n")
    policy = read_policy({**home, **variables})
    assert policy.refusal("a", "main")
    assert policy.remedy("a", "main") == remedy


@pytest.mark.parametrize(
    ("text", "variables", "lock"),
    [
        ("", {}, None),
        ('lock = "mine.lock"', {}, "{home}/latelier/mine.lock"),
        ('lock = "/etc/mine.lock"', {}, "/etc/mine.lock"),
        ('lock = "mine.lock"', {"LATELIER_LOCK": "/other.lock"}, "/other.lock"),
        ('lock = "mine.lock"', {"LATELIER_LOCK": ""}, None),
    ],
)
def test_which_lock_is_in_force(home, text, variables, lock):
    write(home, f"[plugins]\n{text}\n")
    found = read_policy({**home, **variables}).lock
    assert (found and str(found)) == (lock and lock.format(home=home["XDG_CONFIG_HOME"]))
