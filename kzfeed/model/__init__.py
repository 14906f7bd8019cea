"""The values that flow from stage to stage: frozen, slotted, made of the standard library only."""
