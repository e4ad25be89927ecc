"""What unmask.lm_eval needs of the harness, as its version 0.4 has it."""
