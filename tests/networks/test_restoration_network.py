"""The restoration networks in torch, in numpy and in onnxruntime: the same, forwards and backwards."""

import numpy as np
import pytest
import torch
from conftest import dinp_command
from restoration_reference import NumpyNetwork

from dinp.errors import DinpError
from dinp.models.networks.restoration import RestorationNetwork
from dinp.models.weights import runtime
from dinp.models.weights.files import Weights, read_weights, shipped
from dinp.models.weights.hub import load_network
from dinp.models.weights.restoration import FILES, OnnxRestoration
from dinp.restoration import VERSIONS

LARGE = {"widths": [16, 24, 24, 32]}
LIGHT = {"widths": [16, 16, 24, 32], "encode": [0, 8, 24, 16], "decode": [8, 0, 16], "head": 1}


def stirred(config, seed=3, size=0.1):
    torch.manual_seed(seed)
    network = RestorationNetwork(**config).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0, size)
    return network


def arrays_of(network):
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def fields(height, width, seed=1):
    """Inputs, a wanted correction, and where it counts."""
    rng = np.random.default_rng(seed)
    x, wanted = (rng.normal(size=(channels, height, width)).astype(np.float32) for channels in (10, 4))
    return x, wanted, (rng.random((4, height, width)) < 0.7).astype(np.float32)


def by_torch(network, x, wanted, covered):
    """Correction and gradient, by torch's own differentiation."""
    inputs = torch.from_numpy(x)[None].requires_grad_()
    correction = network(inputs)
    change = torch.from_numpy(wanted) - torch.from_numpy(covered) * correction.detach()
    (correction * change).sum().backward()
    return correction.detach().numpy()[0], inputs.grad.numpy()[0, :4]


def close(found, wanted, tolerance):
    return all(np.abs(a - b).max() < tolerance * np.abs(b).max() for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("config", [LARGE, LIGHT])
def test_numpy_agrees_with_torch(config):
    network, given = stirred(config), fields(24, 40)
    reference = NumpyNetwork(arrays_of(network))
    assert close(reference.gradient(*given), by_torch(network, *given), 1e-4)
    assert np.array_equal(reference.correction(given[0]), reference.gradient(*given)[0])


@pytest.mark.parametrize("version", VERSIONS)
def test_shipped_networks_agree_with_torch(version):
    """At real inputs' size of activations; weights are the same 16-bit floats."""
    weights = read_weights("restoration", shipped(f"{FILES[version]}.npz"))
    network = load_network("restoration", shipped(f"{FILES[version]}.npz"))
    found, given = OnnxRestoration(FILES[version], weights), fields(48, 40)
    wanted = by_torch(network, *given)
    assert close(found.gradient(*given), wanted, 1e-4)
    assert close([found.correction(given[0])], wanted[:1], 1e-5)


@pytest.mark.parametrize("version", VERSIONS)
def test_graphs_take_any_weights_of_their_form(version):
    config = read_weights("restoration", shipped(f"{FILES[version]}.npz")).config
    network, given = stirred(config, size=0.05), fields(8, 16)
    found = OnnxRestoration(FILES[version], Weights("restoration", config, arrays_of(network)))
    assert close(found.gradient(*given), by_torch(network, *given), 1e-3)


@pytest.mark.parametrize("version", VERSIONS)
def test_results_do_not_depend_on_the_number_of_threads(version, monkeypatch):
    weights = read_weights("restoration", shipped(f"{FILES[version]}.npz"))
    given, results = fields(72, 136), []
    for count in ("1", "2", "3", "8"):
        monkeypatch.setenv("OMP_NUM_THREADS", count)
        network = OnnxRestoration(FILES[version], weights)
        results.append([network.correction(given[0]), *network.gradient(*given)])
    for result in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(result, results[0], strict=True))


def test_a_session_follows_the_number_of_threads(monkeypatch):
    network = OnnxRestoration(FILES[2], read_weights("restoration", shipped(f"{FILES[2]}.npz")))
    x, _, _ = fields(16, 16)
    made = []
    for count in ("1", "2", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", count)
        network.correction(x)
        made.append(network._forward._made[1])
    assert made[0] is not made[1]
    assert made[1] is made[2]
    assert made[1].get_session_options().intra_op_num_threads == 2


def test_a_forked_process_makes_sessions_of_its_own(monkeypatch):
    import os
    import signal
    import warnings

    if not hasattr(os, "fork"):
        pytest.skip("no fork here")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    network = OnnxRestoration(FILES[2], read_weights("restoration", shipped(f"{FILES[2]}.npz")))
    x, _, _ = fields(64, 64)
    wanted = network.correction(x)
    with warnings.catch_warnings(), runtime._run, network._forward.make:  # as if another thread were at it
        warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads is the point
        child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(60)
            code = 0 if np.array_equal(network.correction(x), wanted) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_weights_that_are_not_what_they_say_are_an_error():
    one, other = (read_weights("restoration", shipped(f"{name}.npz")) for name in (FILES[1], FILES[2]))
    network = OnnxRestoration(FILES[2], Weights("restoration", other.config, one.arrays))
    with pytest.raises(DinpError, match="the network restoration2 cannot be made"):
        network.correction(fields(8, 8)[0])


def test_networks_of_another_form_are_run_too():
    pytest.importorskip("onnx")
    network, given = stirred(LIGHT), fields(24, 40)
    found = OnnxRestoration(FILES[2], Weights("restoration", network.config, arrays_of(network)))
    assert close(found.gradient(*given), by_torch(network, *given), 1e-4)


def test_shipped_graphs_are_those_that_are_exported(tmp_path):
    pytest.importorskip("onnx")

    assert dinp_command("train", "graphs", "--out", tmp_path) == 0
    made = sorted(path.name for path in tmp_path.iterdir())
    assert {f"{name}{kind}.onnx" for name in FILES.values() for kind in ("", "_gradient")} <= set(made)
    for name in made:
        assert (tmp_path / name).read_bytes() == shipped(name).read_bytes()
