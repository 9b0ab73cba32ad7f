import torch
import torch.nn.functional as F
from layer_checks import assert_close, assert_every_parameter_learns, exported, randomised
from torch import Tensor
from torch.export import Dim

from hydrascope.models.blocks.sensor_encoder import SensorSetEncoder

STEPS, NOMINAL = 3, 2


def _encoder(num_slots: int = 0) -> SensorSetEncoder:
    return randomised(
        SensorSetEncoder(5, 8, 4, 3, attention_heads=2, num_slots=num_slots, num_nominal=NOMINAL)
    )


def _batch(sensors: int = 6, components: int = 4) -> tuple[Tensor, ...]:
    """Features, observed, slot, kind, component of each sensor, kind and values of components."""
    owner = torch.randint(0, max(1, components - 1), (sensors,))  # the last one carries none
    return (
        torch.randn(sensors, STEPS, 5),
        torch.rand(sensors, STEPS) > 0.3,
        torch.arange(sensors),
        torch.arange(sensors) % 4,
        owner,
        torch.arange(components) % 3,
        torch.randn(components, NOMINAL),
        torch.arange(components * NOMINAL).reshape(components, NOMINAL) % 3 > 0,
    )


def test_a_component_with_one_sensor_gets_its_token_and_its_own_embedding():
    encoder = _encoder()
    features, _, slot, kind, _, component_kind, nominal, given = _batch(sensors=1, components=1)
    owner, observed = torch.tensor([0]), torch.ones(1, STEPS, dtype=torch.bool)
    encoding = encoder(features, observed, slot, kind, owner, component_kind, nominal, given)
    scale, shift = encoder.sensor_kind.weight[0].chunk(2)
    hidden = F.silu((1 + scale) * encoder.features(features[0]) + shift)
    values = torch.cat((nominal[0] * given[0], given[0]))
    own = encoder.component_kind.weight[0] + encoder.nominal(values)
    expected = encoder.token(hidden) + own
    assert_close(encoding.sequence[0], expected)


def test_a_component_without_sensors_is_its_embedding_and_unobserved():
    encoder = _encoder()
    encoding = encoder(*_batch())
    assert not encoding.observed[3].any()
    assert_close(encoding.sequence[3], encoding.component[3].expand(STEPS, 8))


def test_a_masked_sensor_changes_nothing_and_may_hold_nan():
    encoder, batch = _encoder(), _batch()
    expected = encoder(*batch)
    dead = torch.full((1, STEPS, 5), torch.nan), torch.zeros(1, STEPS, dtype=torch.bool)
    rows = (*dead, torch.tensor([2]), torch.tensor([3]), torch.tensor([1]))
    more = tuple(torch.cat((new, old)) for new, old in zip(rows, batch[:5], strict=True))
    result = encoder(*more, *batch[5:])
    assert_close(result.sequence, expected.sequence)
    assert torch.equal(result.observed, expected.observed)


def test_two_kinds_of_sensor_with_equal_readings_are_told_apart():
    encoder, (features, observed, slot, kind, owner, *components) = _encoder(), _batch()
    result = encoder(features, observed | True, slot, kind, owner, *components).sequence
    other = encoder(features, observed | True, slot, (kind + 1) % 4, owner, *components).sequence
    assert (result[:3] - other[:3]).abs().max() > 0.01


def test_identity_counts_only_where_slots_are_given():
    features, observed, slot, *rest = _batch()
    for num_slots, differs in ((0, False), (6, True)):
        encoder = _encoder(num_slots)
        result = encoder(features, observed, slot, *rest).sequence
        other = encoder(features, observed, slot.flip(0), *rest).sequence
        assert bool((result - other).abs().max() > 1e-3) == differs


def test_permuting_sensors_changes_nothing_and_permuting_components_permutes():
    encoder, batch = _encoder(6), _batch()
    expected = encoder(*batch)
    order, rank = torch.randperm(4), torch.randperm(6)
    features, observed, slot, kind, owner = (tensor[rank] for tensor in batch[:5])
    moved = torch.argsort(order)[owner]
    result = encoder(features, observed, slot, kind, moved, *(each[order] for each in batch[5:]))
    assert_close(result.sequence, expected.sequence[order])
    assert torch.equal(result.observed, expected.observed[order])


def test_every_parameter_gets_a_finite_gradient_though_unobserved_steps_are_nan():
    encoder, (features, observed, *rest) = _encoder(6), _batch()
    features[~observed] = torch.nan
    assert_every_parameter_learns(encoder, encoder(features, observed, *rest).sequence)


def test_it_exports_with_any_number_of_sensors_and_components():
    encoder, sensors, nodes = _encoder().eval(), Dim("S", min=1), Dim("N", min=1)
    shapes = (*[{0: sensors}] * 5, *[{0: nodes}] * 3)
    program = exported(encoder, _batch(), shapes)
    for size in ((1, 1), (12, 7)):
        batch = _batch(*size)
        assert_close(program(*batch).sequence, encoder(*batch).sequence)


def test_a_nominal_value_that_is_not_given_is_not_read():
    encoder, batch = _encoder(), _batch()
    expected = encoder(*batch).sequence
    nominal, given = batch[6:]
    assert_close(encoder(*batch[:6], nominal.masked_fill(~given, 99.0), given).sequence, expected)
    assert (encoder(*batch[:6], nominal + 1, given).sequence - expected).abs().max() > 1e-3
