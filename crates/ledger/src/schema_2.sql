-- How a handoff was made, whether trying again may help, and conversations that ended soon after the join.
ALTER TABLE handoffs ADD COLUMN method TEXT;
ALTER TABLE handoffs ADD COLUMN retryable INTEGER;
ALTER TABLE handoffs ADD COLUMN dropped_by TEXT;
ALTER TABLE handoffs ADD COLUMN dropped_after_ms INTEGER;
ALTER TABLE handoffs ADD COLUMN dropped_cause TEXT;
-- Version 1 knew one way only when it stayed in the path, and told the rest by the outcome.
UPDATE handoffs SET method = CASE outcome WHEN 'released' THEN 'refer_trunk' ELSE 'stay' END WHERE outcome IS NOT NULL;
UPDATE handoffs SET retryable = outcome IN ('no_target', 'no_answer', 'busy', 'not_accepted', 'failed')
    WHERE outcome IS NOT NULL;
