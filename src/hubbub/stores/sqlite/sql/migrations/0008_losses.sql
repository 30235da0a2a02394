-- Which session of an agent was told that a claim was lost, '-' for a command without one; NULL until then.
ALTER TABLE attempts ADD COLUMN loss_told TEXT;
