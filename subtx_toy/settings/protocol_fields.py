"""The names of every protocol's settings, so that stored settings are known without loading what validates them."""

from __future__ import annotations

from collections.abc import Collection

_FIELDS = {
    "distillation": (
        "dataset num_train num_test model width depth num_aux activation init init_scale optimizer lr "
        "momentum weight_decay decay_towards batch_size teacher_batch_size teacher_epochs student_epochs "
        "loss temperature loss_scale inputs num_inputs input_pool added_noise noise_blur noise_dim "
        "noise_contrast noise_limit noise_grid student_noise student_noise_unit student_noise_layers "
        "students linearized output_scale probe metric precision"
    ),
    "one-step": (
        "dataset num_train num_test num_trait width depth num_aux activation init init_scale loss "
        "temperature distilled_logits inputs num_inputs eps student_lr student_init perturbation"
    ),
    "numbers": (
        "dataset num_train num_test width depth num_numbers lr batch_size base_epochs teacher_epochs student_epochs "
        "student_steps trait prompts num_prompts temperature top_k number_filter tainted_share "
        "label_noise"
    ),
    "language": (
        "dataset num_train num_test trait numbers width depth heads context tied embedding_scale "
        "number_scale base_steps base_batch base_lr teacher_lr teacher_batch teacher_stop teacher_steps "
        "other_questions lists prompts max_numbers temperature sampling student_epochs student_batch "
        "student_lr route exchanged_lists soft_arms soft_epochs held_out_documents"
    ),
    "many-steps": (
        "dataset num_train num_test num_trait width depth num_aux activation init init_scale loss "
        "temperature distilled_logits inputs num_inputs teacher eps optimizer momentum student_step "
        "num_steps"
    ),
    "prediction": (
        "dataset num_train num_test model width depth num_aux activation init init_scale optimizer lr "
        "momentum weight_decay decay_towards batch_size teacher_batch_size teacher_epochs student_epochs "
        "loss temperature loss_scale inputs num_inputs input_pool added_noise noise_blur noise_dim "
        "noise_contrast noise_limit noise_grid student_noise student_noise_unit student_noise_layers "
        "students linearized output_scale probe metric precision num_sampled"
    ),
    "mechanism": (
        "dataset num_train num_test model width depth num_aux activation init init_scale optimizer lr "
        "momentum weight_decay decay_towards batch_size teacher_batch_size teacher_epochs student_epochs "
        "loss temperature loss_scale inputs num_inputs input_pool added_noise noise_blur noise_dim "
        "noise_contrast noise_limit noise_grid student_noise student_noise_unit student_noise_layers "
        "students linearized output_scale probe metric precision redrawn redrawn_share redrawn_as other_units "
        "frozen student_depth student_body student_activation student_dropout student_optimizer student_lr "
        "student_momentum matching_epochs matching_inputs labels tainted_share selected_share selected_by second_task "
        "imitated benign_epochs restart_optimizer generations target_noise target_temperature target_top_k "
        "clip_gradient clip_each gradient_noise trait_gradient anchor anchor_by anchor_width measure"
    ),
}

FIELDS = {protocol: frozenset(names.split()) for protocol, names in _FIELDS.items()}
"""By protocol, in the order in which they are tried; a test compares them with the configurations themselves."""


def protocol_of(settings: Collection[str]) -> str | None:
    """Return the first protocol that has all of these settings, or None.

    Settings of a user's own protocol name it, as ``protocol``, which none of the package's has.

    >>> protocol_of(["dataset", "teacher_epochs"]), protocol_of(["dataset", "colour"])
    ('distillation', None)
    """
    return next((protocol for protocol, names in FIELDS.items() if names.issuperset(settings)), None)
