# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.models.data`: all kinds of data that `fit` takes."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models import tiny

# Images that differ in their only gray level, and batches of four.
IMAGES = np.arange(16)[:, None, None, None] * np.ones([4, 4, 1], np.int64)
LABELS = np.arange(16) % 4


def batches(size=4):
    return (IMAGES[i : i + size] for i in range(0, 16, size))


def once(**kwargs):
    """A data set that can be read only once."""
    iterator = batches()
    return tf.data.Dataset.from_generator(lambda: iterator, **kwargs)


class Batches(keras.utils.PyDataset):
    def __init__(self, make=lambda x: (x,), num_batches=4, **kwargs):
        super().__init__(**kwargs)
        self.make, self._num_batches = make, num_batches

    @property
    def num_batches(self):
        return self._num_batches

    def __getitem__(self, index):
        index %= 4
        return self.make(IMAGES[4 * index : 4 * index + 4])


class Loader:
    """Can be read many times, like a `torch.utils.data.DataLoader`."""

    def __init__(self, *batches):
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        return iter(self.batches)


class Frame:
    """Converts to an array, and iterates over names, as a pandas frame does."""

    def __init__(self, values):
        self.values = values
        self.shape = values.shape

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)

    def __iter__(self):
        return iter("ab")


SIGNATURE = tf.TensorSpec([None, 4, 4, 1], tf.int64)
# The data, and arguments of `fit`. Every batch is read once.
SOURCES = {
    "generator of arrays": (batches, {}),
    "generator of tuples": (lambda: ((x,) for x in batches()), {}),
    "generator of weights": (
        lambda: ((x, None, np.ones(len(x))) for x in batches()),
        {"init_batches": 2},
    ),
    "generator with a partial batch": (lambda: batches(5), {}),
    "generator without an end": (
        lambda: itertools.cycle(batches()),
        {"steps_per_epoch": 2, "epochs": 2},
    ),
    "iterator": (lambda: zip(batches(), LABELS.reshape([4, 4])), {}),
    "loader": (lambda: Loader(*([x, LABELS[:4]] for x in batches())), {}),
    "PyDataset": (Batches, {}),
    "PyDataset of arrays": (lambda: Batches(lambda x: x), {}),
    "PyDataset with workers": (lambda: Batches(workers=2), {}),
    "PyDataset without an end": (
        lambda: Batches(num_batches=None),
        {"steps_per_epoch": 4},
    ),
    "data set, once": (lambda: once(output_signature=SIGNATURE), {}),
    "data set, once, prefetched": (
        lambda: once(output_signature=SIGNATURE).unbatch().batch(3).prefetch(1),
        {"init_batches": 2},
    ),
    "data set of unknown rank": (lambda: once(output_types=tf.int64), {}),
}


def seen_by(model, source, **kwargs):
    """The gray levels of the images that `fit` would train on."""
    seen = []

    def train_step(data):
        seen.extend(np.asarray(data[0])[:, 0, 0, 0].tolist())
        return {"loss": 0.0}

    model.train_step = train_step
    try:
        model.fit(source, verbose=0, **kwargs)
    finally:
        del model.train_step
    return seen


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("name", SOURCES)
def test_fit_reads_every_batch_once(eager, name):
    source, kwargs = SOURCES[name]
    assert sorted(seen_by(eager, source(), **kwargs)) == list(range(16))
    assert eager.initialized


def test_a_source_is_read_in_every_epoch(eager):
    seen = seen_by(eager, Loader(*batches()), epochs=2)
    assert seen == 2 * list(range(16))


@pytest.mark.parametrize(
    "convert",
    [
        np.ndarray.tolist,
        tf.Variable,
        Frame,
        lambda x: keras.Variable(x, dtype="int64"),
    ],
)
def test_what_converts_to_an_array_is_one(eager, convert):
    eager.optimizer.learning_rate = 0.0
    x = tiny.gray()
    expected = eager.evaluate(x, verbose=0)
    assert eager.evaluate(convert(x.astype(int)), verbose=0) == expected
    np.testing.assert_array_equal(
        eager.log_prob(convert(x.astype(int))), eager.log_prob(x)
    )


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (None, TypeError, "Expected numbers.*NoneType"),
        ("abc", TypeError, "Expected numbers.*str"),
        ([], TypeError, "Expected numbers.*an empty list"),
        ([[1], [2, 3]], ValueError, "rows of equal lengths"),
        (tf.ragged.constant([[1], [2, 3]]), TypeError, "a dense array"),
        (Loader(), ValueError, "at least one batch"),
        (Loader(IMAGES[:, :2]), ValueError, r"\(None, 2, 4, 1\)"),
        (Loader(IMAGES / 2), TypeError, "Expected integers"),
        (Loader(IMAGES + 9), ValueError, "values from 9 to 24"),
        (Batches(lambda x: x + 15), ValueError, "values from 15 to 18"),
    ],
)
@pytest.mark.parametrize("initialized", [False, True])
def test_other_data_are_an_error(eager, source, error, message, initialized):
    if initialized:
        eager.initialize(tiny.gray())
    with pytest.raises(error, match=message):
        eager.fit(source, verbose=0)
    assert int(eager.optimizer.iterations) == 0


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("steps_per_epoch", lambda: {"x": batches()}),
        (
            "validation_steps",
            lambda: {"x": IMAGES, "validation_data": batches()},
        ),
    ],
)
def test_an_iterator_needs_the_length_of_an_epoch(eager, name, kwargs):
    with pytest.raises(ValueError, match=f"`{name}`.*read only once"):
        eager.fit(epochs=2, verbose=0, **kwargs())


# Weights.


def test_class_weights_are_those_of_the_samples():
    model = tiny.model(num_classes=4)
    model.initialize(IMAGES, LABELS)
    losses = {}
    weights = np.where(LABELS == 1, 3.0, 1.0)
    pairs = tf.data.Dataset.from_tensors((IMAGES, LABELS))
    for name, (x, y, kwargs) in {
        "samples": (IMAGES, LABELS, {"sample_weight": weights}),
        "column": (IMAGES, LABELS, {"sample_weight": weights[:, None]}),
        "array": (IMAGES, LABELS, {"class_weight": {1: 3.0}}),
        "data set": (pairs, None, {"class_weight": {1: 3.0}}),
        "iterator": (iter(pairs), None, {"class_weight": {1: 3.0}}),
    }.items():
        model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
        kwargs |= {"batch_size": 16, "shuffle": False, "steps_per_epoch": 1}
        history = model.fit(x, y, verbose=0, **kwargs).history
        losses[name] = history["loss"]
    assert losses == dict.fromkeys(losses, losses["samples"])


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [
        ({"y": None}, "without labels"),
        ({"class_weight": "balanced"}, "a dictionary"),
        ({"class_weight": {4: 1.0}}, r"labels in \[0, 4\) as keys"),
        ({"sample_weight": np.ones(16)}, "with weights of samples"),
    ],
)
def test_invalid_class_weights_are_an_error(eager, kwargs, expected):
    if "y" not in kwargs:
        eager = tiny.model(num_classes=4)
        eager.compile("sgd")
    kwargs = {"y": LABELS, "class_weight": {0: 1.0}, **kwargs}
    with pytest.raises(ValueError, match=f"`class_weight`.*{expected}"):
        eager.fit(IMAGES, verbose=0, **kwargs)


def test_invalid_sample_weights_are_an_error(eager):
    for weights in (np.ones(15), 2.0, np.ones([16, 2])):
        with pytest.raises(ValueError, match=r"`sample_weight`.*\(16,\)"):
            eager.fit(IMAGES, sample_weight=weights, verbose=0)


def test_evaluate_weighs_samples_without_labels(eager):
    weights = np.where(LABELS == 1, 1.0, 0.0)
    result = eager.evaluate(
        IMAGES, sample_weight=weights, verbose=0, return_dict=True
    )
    log_prob = np.asarray(eager.log_prob(IMAGES))
    np.testing.assert_allclose(
        result["nats"], -log_prob[LABELS == 1].mean(), rtol=1e-5
    )


def test_more_batches_than_fit_in_memory_are_an_error_at_once():
    endless = tf.data.Dataset.from_tensors(tiny.gray(8)).repeat()
    read = []

    def batches():
        for _ in range(3):
            read.append(len(read))
            yield tiny.gray(8)

    model = tiny.model()
    model.compile("adam")
    message = r"at most .* GiB, the memory of this machine\. Received: one of"
    for data in (endless, batches()):
        with pytest.raises(ValueError, match=message):
            model.fit(data, steps_per_epoch=1, init_batches=10**9)
    assert read == [0]
    # A count of batches that is known is not exceeded.
    model.fit(endless.take(2), init_batches=10**9, verbose=0)
    assert model.initialized
