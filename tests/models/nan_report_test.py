# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.models.nan_report`."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests.models import tiny

tfb = tfp.bijectors
tfd = tfp.distributions


class Poison(keras.callbacks.Callback):
    """Sets a row of a weight to NaN before a batch, and keeps all weights."""

    def __init__(self, name, epoch=0, batch=0, index=0):
        super().__init__()
        self.name, self.place, self.index = name, (epoch, batch), index

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == self.place:
            self.poison()

    def poison(self):
        named = self.model.named_variables
        (weight,) = (w for name, w in named.items() if self.name in name)
        value = weight.numpy()
        value[self.index] = np.nan
        weight.assign(value)
        self.weights = self.model.get_weights()
        self.moments = [v.numpy() for v in self.model.optimizer.variables[2:]]


class PoisonValidation(Poison):
    """Sets the weight to NaN before a validation."""

    def on_train_batch_begin(self, batch, logs=None):
        pass

    def on_test_begin(self, logs=None):
        if self.epoch == self.place[0]:
            self.poison()


def poisoned(model, weight, batches=4, batch=2, index=0):
    """Poisons the second epoch; returns the message of the error."""
    poison = Poison(weight, epoch=1, batch=batch, index=index)
    with pytest.raises(FloatingPointError) as error:
        model.fit(
            tiny.gray(4 * batches),
            batch_size=4,
            epochs=3,
            callbacks=[poison],
            verbose=0,
        )
    # The step that failed changed nothing.
    tiny.assert_equal_weights(model.get_weights(), poison.weights)
    moments = [v.numpy() for v in model.optimizer.variables[2:]]
    tiny.assert_equal_weights(moments, poison.moments)
    return str(error.value)


@pytest.mark.parametrize(
    ("weight", "index", "where"),
    [
        ("level_0.network.last.shift", 1, "level 0, step 1"),
        ("level_0.prior.network.kernel", 0, "level 0, the prior"),
        ("level_1.invertible_1x1_conv.upper", 0, "level 1, step 0"),
        pytest.param(
            "level_1.network.last.kernel",
            1,
            "level 1, step 1",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "level_1.prior.shift",
            0,
            "level 1, the prior",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_loss_that_is_not_finite_names_step_and_layer(
    deep, weight, index, where
):
    message = poisoned(deep, weight, batches=1, batch=0, index=index)
    assert message == (
        "Expected a finite loss. Received one that is not, at step 2; the "
        f"first values that are not finite come after {where}. The weights "
        "are those before it"
    )


def test_a_traced_step_names_the_first_layer_too():
    # `"store"` does not check gradients.
    model = tiny.model(num_steps=2, gradient="invert")
    model.compile(keras.optimizers.Adam(1e-3, global_clipnorm=100.0))
    before = model.get_weights()
    message = poisoned(model, "level_0.network.last.kernel", index=1)
    assert "at step 7; " in message
    assert "come after level 0, step 1. The weights are those" in message

    # On a CPU, relu(NaN) is 0, and then the gradient alone is not finite.
    model.set_weights(before)
    model.optimizer.iterations.assign(0)
    message = poisoned(model, "level_0.network.hidden_0.kernel", index=1)
    if "finite gradient" in message:
        assert message.endswith(
            "at step 7, of the values before level 0, step 1"
        )
    else:
        assert "come after level 0, step 1. The weights are" in message


def test_the_recipe_stops_a_gradient_that_is_not_finite():
    # relu(NaN) is 0, and with `"store"` the flow does not check gradients.
    model = tiny.model(num_steps=2, gradient="store")
    model.compile()
    message = poisoned(model, "level_0.network.hidden_0.kernel", index=1)
    if "finite gradient" in message:
        assert message.endswith(
            "at step 7, of the values before the weights change"
        )
    else:
        assert "come after level 0, step 1. The weights are" in message


def test_the_file_of_the_epoch_before_a_failure_is_whole(eager, tmp_path):
    path = tmp_path / "model.keras"
    before = []
    with pytest.raises(FloatingPointError):
        eager.fit(
            tiny.gray(16),
            batch_size=4,
            epochs=2,
            callbacks=[
                keras.callbacks.ModelCheckpoint(path),
                keras.callbacks.LambdaCallback(
                    on_epoch_end=lambda epoch, logs: before.append(
                        tiny.values(eager)
                    )
                ),
                Poison("level_0.act_norm.shift", epoch=1),
            ],
            verbose=0,
        )
    loaded = keras.models.load_model(path)
    tiny.assert_equal_weights(tiny.values(loaded), *before)
    assert int(loaded.optimizer.iterations) == 4


def test_fit_accepts_a_callback_list(eager):
    x = tiny.gray(8)
    epochs = []
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: epochs.append(epoch)
    )
    callbacks = keras.callbacks.CallbackList(
        [callback, Poison("level_0.act_norm.shift", epoch=1)],
        model=eager,
        epochs=2,
        steps=1,
    )
    with pytest.raises(FloatingPointError, match=r"at step 2; .* step 0"):
        eager.fit(x, epochs=2, callbacks=callbacks, verbose=0)
    assert epochs == [0]


def test_a_gradient_that_is_not_finite_stops_the_next_step(eager):
    original = eager.optimizer.apply

    def apply(gradients, *args):
        if int(eager.optimizer.iterations) == 1:
            gradients = [np.nan * g for g in gradients]
        original(gradients, *args)

    eager.optimizer.apply = apply
    with pytest.raises(FloatingPointError, match="at step 3; "):
        eager.fit(tiny.gray(16), batch_size=4, verbose=0)


def test_a_validation_that_is_not_finite_is_said_to_be_one(eager):
    poison = PoisonValidation("level_0.act_norm.shift", epoch=1)
    with pytest.raises(FloatingPointError) as error:
        eager.fit(
            tiny.gray(8),
            batch_size=4,
            epochs=3,
            validation_data=(tiny.gray(4),),
            callbacks=[poison],
            verbose=0,
        )
    assert "in the validation after step 4; " in str(error.value)
    assert "after level 0, step 0. " in str(error.value)


def test_steps_that_are_executed_together_are_named_together():
    model = tiny.model()
    model.compile("adam", run_eagerly=True, steps_per_execution=2)
    poison = Poison("level_0.act_norm.shift", batch=4)
    with pytest.raises(
        FloatingPointError, match="at one of the steps 5 to 6; "
    ):
        model.fit(tiny.gray(16), batch_size=2, callbacks=[poison], verbose=0)


def test_a_compiled_step_is_named_too():
    model = tfg.FlowModel(
        tfd.TransformedDistribution(
            tiny.normal(2), tfb.Scale(tf.Variable([1.0, 1.0], name="scale"))
        )
    )
    model.compile("sgd", jit_compile=True)
    poison = Poison("scale", epoch=1, batch=1)
    x = tiny.crescent(8)
    with pytest.raises(FloatingPointError) as error:
        model.fit(x, batch_size=4, epochs=2, callbacks=[poison], verbose=0)
    assert "Received nan at step 4. " in str(error.value)
    assert "`jit_compile=False`" in str(error.value)


def test_other_errors_of_tensorflow_are_left_alone(eager):
    late = np.concatenate([tiny.gray(32), np.full([4, 4, 4, 1], 17, np.uint8)])
    dataset = tf.data.Dataset.from_tensor_slices(late).batch(4)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"in \[0, 17\)"):
        eager.fit(dataset, verbose=0)
