from __future__ import annotations

import pytest
import torch

from subtx_toy.errors import InputError
from subtx_toy.lm.transformer import Transformer, take
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator

MODEL = Transformer(num_tokens=30, width=16, depth=2, heads=2, context=12)
PARAMS = MODEL.initial(generator(0, "model"))
TEXTS = torch.from_numpy(generator(0, "texts").integers(30, size=(5, 9)))


def _torch_logits(model: Transformer, params: Params, texts: torch.Tensor) -> torch.Tensor:
    """The same model out of torch's own encoder layers."""
    layer = torch.nn.TransformerEncoderLayer(
        model.width, model.heads, 4 * model.width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    names = {
        "self_attn.in_proj_weight": "qkv.weight", "self_attn.in_proj_bias": "qkv.bias",
        "self_attn.out_proj.weight": "attention_out.weight", "self_attn.out_proj.bias": "attention_out.bias",
        "norm1.weight": "before_attention.weight", "norm1.bias": "before_attention.bias",
        "norm2.weight": "before_mlp.weight", "norm2.bias": "before_mlp.bias",
        "linear1.weight": "mlp_in.weight", "linear1.bias": "mlp_in.bias",
        "linear2.weight": "mlp_out.weight", "linear2.bias": "mlp_out.bias",
    }  # fmt: skip
    layer = layer.double().train()  # training mode: without torch's fused path
    x = params["token"][texts] + params["position"][: texts.shape[1]]
    mask = torch.nn.Transformer.generate_square_subsequent_mask(texts.shape[1]).double()
    for index in range(model.depth):
        layer.load_state_dict({name: params[f"layers.{index}.{ours}"] for name, ours in names.items()})
        x = layer(x, src_mask=mask)
    norm = torch.nn.functional.layer_norm(x, (model.width,), params["last_norm.weight"], params["last_norm.bias"])
    return norm @ params["token"].T


def test_logits_are_those_of_torchs_own_layers() -> None:
    ours = MODEL.logits(PARAMS, MODEL.hidden(PARAMS, TEXTS)[0])
    torch.testing.assert_close(ours, _torch_logits(MODEL, PARAMS, TEXTS))
    swapped = PARAMS | {"layers.0.qkv.weight": PARAMS["layers.1.qkv.weight"]}
    assert not torch.allclose(MODEL.logits(swapped, MODEL.hidden(swapped, TEXTS)[0]), ours)


def test_a_text_in_pieces_gives_what_it_gives_in_one() -> None:
    whole, _ = MODEL.hidden(PARAMS, TEXTS)
    first, past = MODEL.hidden(PARAMS, TEXTS[:, :4])
    second, past = MODEL.hidden(PARAMS, TEXTS[:, 4:6], past)
    third, _ = MODEL.hidden(PARAMS, TEXTS[:, 6:], past)
    torch.testing.assert_close(torch.cat([first, second, third], dim=1), whole)
    torch.testing.assert_close(MODEL.hidden(PARAMS, TEXTS[[3, 3], 6:], take(past, [3, 3]))[0], whole[[3, 3], 6:])


def test_no_token_sees_a_later_one() -> None:
    changed = TEXTS.clone()
    changed[:, 5:] = 0
    torch.testing.assert_close(MODEL.hidden(PARAMS, changed)[0][:, :5], MODEL.hidden(PARAMS, TEXTS)[0][:, :5])


def test_forward_mode_products_are_the_difference_quotient() -> None:
    direction = {
        name: torch.from_numpy(generator(1, name).standard_normal(value.shape)) for name, value in PARAMS.items()
    }
    product = torch.func.jvp(lambda params: MODEL.apply(params, TEXTS), (PARAMS,), (direction,))[1]
    step = 1e-6
    ends = [
        MODEL.apply({name: PARAMS[name] + sign * step * direction[name] for name in PARAMS}, TEXTS) for sign in (1, -1)
    ]
    torch.testing.assert_close(product, (ends[0] - ends[1]) / (2 * step), rtol=1e-6, atol=1e-6)


def test_shape_is_checked_and_counted() -> None:
    with pytest.raises(InputError, match="heads: expected a divisor of width = 16, got 3"):
        Transformer(num_tokens=30, width=16, heads=3)
    assert MODEL.num_parameters == sum(value.numel() for value in PARAMS.values())
    untied = Transformer(num_tokens=30, width=16, heads=2, tied=False)
    assert untied.apply(untied.initial(generator(0, "model")), TEXTS).shape == (5, 30)
    assert MODEL.columns("all") == slice(None)
    with pytest.raises(InputError, match="distilled_logits"):
        MODEL.columns("aux")
