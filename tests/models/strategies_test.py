# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of training on several devices and machines.

Devices and clusters must be set up before TensorFlow starts. So what trains is
in functions here, `..._program`, that processes of their own call.
"""

import contextlib
import json
import os
import socket
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import processes
from tfp_glow.models import recipe
from tfp_glow.models import replicas
from tfp_glow.models import strategies
from tfp_glow.train import cli
from tfp_glow.train import commands

tfb = tfp.bijectors
tfd = tfp.distributions

BATCH_SIZE = 22
# From the last batch the second of two replicas gets nothing, or 1 of 3.
NUM_IMAGES = 2 * BATCH_SIZE + 1
NUM_VECTORS = 2 * BATCH_SIZE + 3
SETTINGS = {
    "num_levels": 1,
    "num_steps": 1,
    "num_filters": 4,
    "batch_size": 256,
    "warmup_steps": 2,
    "max_minutes": 60.0,
}

# Models that the programs train.


def digits():
    images = tfg.datasets.load("digits", "validation", batch_size=NUM_IMAGES)
    return next(iter(images)).numpy()


def fit_glow(strategy):
    """A Glow of digits, its logs, and what it then says of them."""
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = tfg.GlowModel(
            [8, 8, 1], num_levels=1, num_steps=1, num_filters=4, bins=17, seed=0
        )
        model.compile(
            recipe.AveragedAdam(
                1e-2,
                # Otherwise Adam makes large steps of gradients that are
                # rounding errors, and those differ between strategies.
                epsilon=1e-3,
                global_clipnorm=0.1,
                use_ema=True,
                ema_momentum=0.5,
            )
        )
    x = digits()
    dataset = tf.data.Dataset.from_tensor_slices(x)
    dataset = dataset.shuffle(NUM_IMAGES, seed=1).batch(BATCH_SIZE)
    history = model.fit(
        dataset,
        epochs=2,
        validation_data=dataset,
        verbose=0,
    )
    return model, {
        **history.history,
        **arrays(model),
        "predict": model.predict(x, batch_size=BATCH_SIZE, verbose=0),
        "evaluate": model.evaluate(dataset, verbose=0),
        "initialized": model.initialized,
    }


def fit_vectors(strategy):
    """A conditional flow around a Keras network, of weighted events."""
    keras.utils.set_random_seed(0)
    with strategy.scope():
        network = keras.Sequential(
            [keras.layers.Dense(8, "tanh"), keras.layers.Dense(4)]
        )
        network.build([None, 3])

        def shift_and_log_scale(x, _, condition):
            outputs = network(tf.concat([x, condition], axis=-1))
            return tf.split(outputs, 2, axis=-1)

        flow = tfd.TransformedDistribution(
            tfd.Sample(tfd.Normal(0.0, 1.0), [4]),
            tfb.RealNVP(
                num_masked=2,
                shift_and_log_scale_fn=shift_and_log_scale,
            ),
        )
        model = tfg.FlowModel(
            flow,
            conditioning_fn=lambda c: {"bijector_kwargs": {"condition": c}},
            conditioning_shape=[1],
        )
        model.compile(keras.optimizers.SGD(0.1, clipnorm=0.1))
    generator = np.random.default_rng(0)
    x = generator.standard_normal([NUM_VECTORS, 4]).astype(np.float32)
    condition = x[:, :1] + 1.0
    given = dict(
        sample_weight=generator.uniform(size=NUM_VECTORS),
        batch_size=BATCH_SIZE,
        verbose=0,
    )
    history = model.fit(x, condition, shuffle=False, **given)
    return {
        **history.history,
        **arrays(model),
        "evaluate": model.evaluate(x, condition, **given),
        "predict": model.predict(
            (x, condition), batch_size=BATCH_SIZE, verbose=0
        ),
    }


def arrays(model):
    """Returns the variables that training changes, by name."""
    variables = dict(model.named_variables)
    for i, variable in enumerate(model.optimizer.variables):
        variables[f"optimizer_{i}"] = variable
    return {name: np.asarray(v.numpy()) for name, v in variables.items()}


def command(run, strategy, epochs):
    """The arguments of the command line that train a run."""
    settings = {**SETTINGS, "out": run, "strategy": strategy, "epochs": epochs}
    return ["train", *(f"--{name}={v}" for name, v in settings.items())]


def one_machine_program(folder):
    """Trains on one device, and on two that share its batches."""
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )
    for name in ("none", "mirrored"):
        strategy = strategies.make(name)
        glow, found = fit_glow(strategy)
        np.savez(folder / f"{name}-glow.npz", **found)
        glow.save(folder / f"{name}.keras")
        glow.save_weights(folder / f"{name}.weights.h5")
    assert strategy.num_replicas_in_sync == 2
    with pytest.raises(ValueError, match="of 2 replicas"), strategy.scope():
        tfg.GlowModel(
            [4, 4, 1],
            num_classes=2,
            conditioned="priors",
            classifier_weight=0.1,
        )
    for variable in (
        *glow.named_variables.values(),
        *glow.optimizer.variables,
        glow._seed_generator.state,
    ):
        first, second = variable.value.values
        np.testing.assert_array_equal(first, second, variable.path)
    with strategy.scope():
        loaded = keras.models.load_model(folder / "none.keras")
        np.savez(folder / "loaded.npz", **arrays(loaded))
        loaded = tfg.GlowModel.from_config(loaded.get_config())
        loaded.load_weights(folder / "none.weights.h5")
    np.save(folder / "loaded.npy", loaded.log_prob(digits()))


def worker_program(folder):
    """Trains as one of two workers."""
    strategy = strategies.make("multi_worker")
    index = strategy.cluster_resolver.task_id
    assert strategies.is_chief(strategy) == (index == 0)
    assert strategies.any_worker(strategy, index == 1)
    assert not strategies.any_worker(strategy, False)
    variable = tf.Variable([1.0 + index])
    strategies.copy_from_chief(strategy, [variable])
    assert variable.numpy() == [1.0]
    policy = tf.data.experimental.AutoShardPolicy
    chosen = tf.data.Options()
    chosen.experimental_distribute.auto_shard_policy = policy.OFF
    dataset = tf.data.Dataset.range(4).batch(2)
    for given, expected in (
        (dataset, policy.DATA),
        (dataset.with_options(chosen), policy.OFF),
    ):
        options = strategies.shard(given, strategy).options()
        assert options.experimental_distribute.auto_shard_policy == expected
    strategies.check_same(strategy, settings={"a": 1})
    with pytest.raises(ValueError, match="Expected the same settings on all 2"):
        strategies.check_same(strategy, settings={"a": index})
    np.savez(folder / f"worker_{index}-vectors.npz", **fit_vectors(strategy))
    # A folder of its own, to see whether a worker writes into it.
    run = folder / f"run_of_worker_{index}"
    # So many epochs that the worker that is killed never ends before.
    sys.exit(cli.main(command(run, "multi_worker", epochs=10_000)))


# Processes.


def start(*call, log, **environment):
    """A process without GPUs."""
    environment["CUDA_VISIBLE_DEVICES"] = "-1"
    return processes.Process(*call, log=log, environment=environment)


def free_addresses(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]


def tf_config(index=0, addresses=("a:1", "b:1"), kind="worker"):
    return {
        "cluster": {"worker": list(addresses)},
        "task": {"type": kind, "index": index},
    }


@contextlib.contextmanager
def workers(*call, folder):
    """Two processes that are the workers of a cluster on this machine."""
    addresses = free_addresses(2)
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(
                start(
                    *call,
                    log=folder / f"log_of_worker_{index}",
                    TF_CONFIG=json.dumps(tf_config(index, addresses)),
                )
            )
            for index in range(2)
        ]


@pytest.fixture(scope="module")
def one_machine(tmp_path_factory):
    """The folder into which `one_machine_program` has written."""
    folder = tmp_path_factory.mktemp("one_machine")
    with start(one_machine_program, folder, log=folder / "log") as process:
        process.finish()
    return folder


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The folder into which two workers have written.

    The second was killed when the first checkpoint of a run was there.
    """
    folder = tmp_path_factory.mktemp("cluster")
    digits()  # Prepares them, once for both processes.
    with workers(worker_program, folder, folder=folder) as (chief, other):
        end = time.monotonic() + processes.TIMEOUT
        while not (folder / "run_of_worker_0/last.keras").exists():
            assert chief.is_running(), chief.log.read_text()
            assert time.monotonic() < end
            time.sleep(0.01)
        other.kill()
        chief.finish(expected_status=1)
    return folder


def assert_all_close(found, expected, atol=1e-5, rtol=1e-6):
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(
            found[name], expected[name], rtol, atol, err_msg=name
        )


# Training.


def test_two_devices_learn_what_one_learns(one_machine):
    found = np.load(one_machine / "mirrored-glow.npz")
    assert_all_close(found, np.load(one_machine / "none-glow.npz"))


@pytest.mark.slow
def test_two_workers_learn_what_one_learns(cluster):
    first, second = (
        np.load(cluster / f"worker_{index}-vectors.npz") for index in range(2)
    )
    assert_all_close(first, second, atol=0.0, rtol=0.0)
    assert_all_close(first, fit_vectors(strategies.make("none")))


def test_models_of_one_device_load_on_several(one_machine):
    found = np.load(one_machine / "loaded.npz")
    model = keras.models.load_model(one_machine / "none.keras")
    assert_all_close(found, arrays(model), atol=0.0, rtol=0.0)
    np.testing.assert_allclose(
        np.load(one_machine / "loaded.npy"), model.log_prob(digits()), rtol=1e-6
    )


def test_models_of_several_devices_load_on_one(one_machine):
    expected = np.load(one_machine / "mirrored-glow.npz")
    model = keras.models.load_model(one_machine / "mirrored.keras")
    assert_all_close(arrays(model), {n: expected[n] for n in arrays(model)})
    other = tfg.GlowModel.from_config(model.get_config())
    other.load_weights(one_machine / "mirrored.weights.h5")
    np.testing.assert_array_equal(
        other.log_prob(digits()), model.log_prob(digits())
    )


# Runs.


@pytest.mark.slow
def test_a_worker_that_loses_another_ends_and_says_so(cluster):
    printed = (cluster / "log_of_worker_0").read_text()
    assert "\nConnectionError: Expected all workers of TF_CONFIG" in printed


@pytest.mark.slow
def test_the_chief_alone_writes_files(cluster):
    assert not (cluster / "run_of_worker_1").exists()


@pytest.mark.slow
def test_workers_resume_as_if_none_of_them_had_been_killed(cluster, tmp_path):
    run, expected = cluster / "run_of_worker_0", tmp_path / "run"
    checkpoint = keras.models.load_model(run / "last.keras")
    done = len((run / "metrics.csv").read_text().splitlines()) - 1
    printed = []
    for folder in (run, expected):
        arguments = command(folder, "multi_worker", epochs=done + 2)
        call = [processes.command, *arguments]
        with workers(*call, folder=tmp_path) as (chief, other):
            printed.append(chief.finish())
            other.finish()
    assert "Resuming" in printed[0]
    assert sorted(os.listdir(run)) == sorted(os.listdir(expected))
    last, never_killed = (
        keras.models.load_model(folder / "last.keras")
        for folder in (run, expected)
    )
    # The same workers add the same numbers in the same order. One device does
    # not, and Adam makes large steps of gradients that are rounding errors.
    assert_all_close(arrays(last), arrays(never_killed), atol=0.0, rtol=0.0)
    steps = [int(m.optimizer.iterations) for m in (checkpoint, last)]
    assert 0 < steps[0] < steps[1]


@pytest.mark.slow
def test_a_complete_run_may_be_continued_with_another_strategy(
    tmp_path, capsys
):
    for strategy in ("none", "mirrored"):
        assert cli.main(command(tmp_path / "run", strategy, epochs=2)) == 0
    assert "is complete" in capsys.readouterr().out


# Strategies.


def without(part, name):
    config = tf_config()
    del config[part][name]
    return config


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "a description of the cluster. Received: none"),
        ("", "a description of the cluster. Received: none"),
        ("{'cluster'", "JSON. Received: {'cluster'"),
        ("[1]", "a list of addresses"),
        ("{}", "a list of addresses"),
        (without("cluster", "worker"), "a list of addresses"),
        (tf_config(addresses=[]), "a list of addresses"),
        (tf_config(addresses=["host"]), "a list of addresses"),
        (without("task", "type"), "as type of its task"),
        (tf_config(kind="chief"), "as type of its task"),
        (tf_config(kind="evaluator"), "as type of its task"),
        (without("task", "index"), "an integer of at least 0 and below 2"),
        (tf_config(index=2), "an integer of at least 0 and below 2"),
        (tf_config(index=-1), "an integer of at least 0 and below 2"),
        (tf_config(index="0"), "an integer of at least 0 and below 2"),
        (tf_config(index=True), "an integer of at least 0 and below 2"),
    ],
)
def test_an_invalid_cluster_is_an_error_before_any_work(
    monkeypatch, tmp_path, capsys, value, expected
):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if value is not None:
        text = value if isinstance(value, str) else json.dumps(value)
        monkeypatch.setenv("TF_CONFIG", text)
    out = tmp_path / "run"
    arguments = ["train", "--strategy=multi_worker", f"--out={out}"]
    assert cli.main(arguments) == 1
    printed = capsys.readouterr().err
    assert "ValueError: Invalid value of the environment variable" in printed
    assert expected in printed
    assert not out.exists()


def test_an_unknown_strategy_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="Did you mean 'mirrored'"):
        commands.train(str(tmp_path / "run"), strategy="miror")


def test_a_single_process_is_its_own_chief():
    strategy = strategies.make("none")
    assert strategies.is_chief()
    assert strategies.is_chief(strategy)
    assert strategies.num_workers(strategy) == 1
    assert strategies.any_worker(strategy, True)
    assert not strategies.any_worker(strategy, False)
    with strategies.chief_first(strategy), strategies.lost_workers(strategy):
        strategies.check_same(strategy, a=1)


def test_errors_that_are_no_loss_of_workers_stay_as_they_are():
    error = tf.errors.InternalError(None, None, "of a device")
    with (
        pytest.raises(tf.errors.InternalError),
        strategies.lost_workers(strategies.make("none")),
    ):
        raise error


# Replicas.


def test_noise_of_some_rows_is_that_of_the_whole_batch():
    flow = tfg.glow_distribution([4, 4, 1], num_levels=1, num_steps=1)
    distribution = tfg.Dequantized(flow, bins=17)
    x = np.random.default_rng(0).integers(0, 17, [7, 4, 4, 1])
    whole = distribution.log_prob(x, seed=1, first_row=0)
    part = distribution.log_prob(x[3:5], seed=1, first_row=3)
    np.testing.assert_allclose(part, whole[3:5], rtol=1e-6)
    other = distribution.log_prob(x[3:5], seed=1, first_row=0)
    assert np.max(np.abs(other - whole[3:5])) > 1e-3


def test_outside_of_replicas_nothing_is_done():
    loss = tf.constant(2.0)
    assert replicas.first_row(tf.constant(3)) == 0
    assert replicas.weight_gradient(loss, tf.constant(3)) is loss
    assert replicas.of_rows(lambda: loss, tf.constant(0), tf.float32) is loss
