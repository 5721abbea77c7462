"""The mistakes that people make in gradients: one record each, for diagnoses and for mutants."""
