"""What goes in: arrays of every kind, and errors in the command line's words."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import localmax
from localmax import _localmax, _types

PLAIN = {"alpha": 1.0, "delta": 0.1}


def fails(message: str, *values: object, error: type[Exception] = ValueError, **keys: object) -> None:
    with pytest.raises(error) as caught:
        localmax.Simulation(*values, **keys)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_errors_are_the_command_lines(cloud: np.ndarray) -> None:
    fails("alfa=1: unknown key 'alfa'; the nearest known key is 'alpha'", cloud, alfa=1, **PLAIN)
    fails("step=3: unknown key 'step'; the nearest known key is 'steps'", cloud, step=3, **PLAIN)
    fails("out='r': out is no keyword of this function", cloud, out="r", **PLAIN)
    for threads in (0, -1, 1.5, "2"):
        fails(f"threads is {threads!r}; it must be a whole number of at least 1", cloud, threads=threads, **PLAIN)
    fails("model.alpha is -1", cloud, alpha=-1, delta=0.1)
    fails(
        "strip='wide': model.strip: unknown strip \"wide\"; one of score, width, a-norm", cloud, strip="wide", **PLAIN
    )
    fails('unknown rule "hardmaxx"', cloud, "hardmaxx", **PLAIN)
    fails("unknown engine", cloud, engine="quantum", **PLAIN)
    fails("model.alpha is missing", cloud, "hardmax")
    fails("model.delta is missing", cloud, config="[model]\nrule = 'localmax'\nalpha = 1\n[run]\nsteps = 2\n")
    fails("a=<array of shape (3, 3)>: model.a", cloud, a=np.eye(3), **PLAIN)
    fails("tokens.n does not go with tokens that are given", cloud, n=3, **PLAIN)
    fails('unknown preset "defautl"; the nearest is "default"', preset="defautl")
    fails("no value of a config", cloud, error=TypeError, alpha=object(), delta=0.1)
    fails("/nowhere.toml", error=OSError, config="/nowhere.toml")
    fails("/nowhere.npy", error=OSError, file="/nowhere.npy", **PLAIN)
    fails("config and preset are both given", config="a = 1", preset="default")
    fails("100000 threads", cloud, threads=100_000, **PLAIN)
    fails("are available; take fewer tokens", n=10**9, d=1000, error=MemoryError, engine="cpu", **PLAIN)
    fails("tokens.n is 10000000000000; it must be from 1 to", n=10**13, d=8, **PLAIN)


def test_wrong_shapes_say_which_and_what(cloud: np.ndarray) -> None:
    fails("x0 has shape (40,); expected (n, d), a row each token", cloud[:, 0], **PLAIN)
    fails("x0 has shape (1, 40, 2)", cloud[None], **PLAIN)
    fails("x0 has dtype <U1", [["a"]], **PLAIN)
    fails("x0 has dtype complex128", cloud + 1j, **PLAIN)
    fails("x0 has shape (0, 2)", np.zeros((0, 2)), **PLAIN)
    fails("token 0 coordinate 1 is NaN", [[0.0, np.nan]], **PLAIN)
    fails("x0 is 'x0.npy', a path; give file='x0.npy'", "x0.npy", **PLAIN)
    fails("x0 has masked entries", np.ma.masked_array(cloud, cloud > 1), **PLAIN)
    with pytest.raises(ValueError, match=r"x0 has shape \(40, 2\); expected \(m, n, d\)"):
        localmax.batch(cloud, **PLAIN)


def test_every_keyword_is_a_key_and_is_told() -> None:
    keys = {name for _, name, _, _ in _localmax.keys()} - {"rule"}
    assert set(_types.Keywords.__annotations__) == keys
    told = localmax.run.__doc__ or ""
    for _, name, meaning, default in _localmax.keys():
        if name != "rule":
            assert f"{name} = {default}" in told and meaning in told


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(
        st.sampled_from(["f4", "f8", "i4", "i1", "u2"]).map(np.dtype),
        st.tuples(st.integers(1, 9), st.integers(1, 4)),
        elements=st.integers(0, 100),
    ),
    st.integers(1, 3),
    st.booleans(),
    st.booleans(),
)
def test_views_and_widths(x0: np.ndarray, stride: int, turned: bool, frozen: bool) -> None:
    """However an array lies in memory, its tokens are its values."""
    wide = np.zeros((x0.shape[0] * stride, x0.shape[1]), x0.dtype)
    view = wide[::stride]
    view[...] = x0
    view = np.asfortranarray(view) if turned else view
    if frozen:
        view.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        simulation = localmax.Simulation(view, "softmax", alpha=1.0, beta=1.0, engine="cpu")
    assert simulation.tokens.dtype == (np.float32 if x0.dtype == np.float32 else np.float64)
    np.testing.assert_array_equal(simulation.tokens, x0)


def test_array_likes(cloud: np.ndarray) -> None:
    class Dlpack:
        def __dlpack__(self, **options: object) -> object:
            return cloud.__dlpack__(**options)

        def __dlpack_device__(self) -> tuple[int, int]:
            return cloud.__dlpack_device__()

    expected = localmax.Simulation(cloud, **PLAIN).tokens
    for given_as in (cloud.tolist(), tuple(map(tuple, cloud.tolist())), Dlpack(), np.asfortranarray(cloud)):
        np.testing.assert_array_equal(localmax.Simulation(given_as, **PLAIN).tokens, expected)


def test_schedules_and_matrices(cloud: np.ndarray) -> None:
    """One axis is a value a step, two are a matrix, wherever a config takes one."""
    text = localmax.Simulation(cloud, alpha=1.0, delta="0.5^(t+1)", a={"matrix": np.diag([1.0, 2.0]), "factor": "1+t"})
    table = localmax.Simulation(
        cloud, alpha=np.ones(6), delta=[0.5 ** (t + 1) for t in range(6)],
        a={"matrix": [[1, 0], [0, 2]], "factor": np.arange(1.0, 7.0)}, steps=6,
    )  # fmt: skip
    assert text.step(6, stop=False).hash == table.step(6, stop=False).hash
    with pytest.raises(ValueError, match="model.delta"):
        localmax.Simulation(cloud, alpha=1.0, delta=[0.5, 0.25], steps=3)


def test_a_cloud_is_enough(cloud: np.ndarray) -> None:
    """The first call of a new user has the values that the help shows, and says them in its config."""
    run = localmax.run(cloud)
    assert run.hash == localmax.run(cloud, "localmax", alpha=0.5, delta="1/(t+1)", steps=100).hash
    assert 'delta = "1/(t+1)"' in run.config
    assert localmax.Simulation(cloud, gamma=0.25).step(3).t == 3
