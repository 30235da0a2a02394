-- Steps in line, claims whose holder is gone, and what an agent lost.

DROP INDEX steps_ready_of_scope;
CREATE INDEX steps_ready_of_scope ON steps (project, scope, rank, num)
    WHERE status = 'not_started' AND waiting = 0 AND scope <> '';

-- What is held, what waits for that, and what rests are asked with each claim: they must not cost a look at
-- all steps that are in hand or ready.
CREATE INDEX steps_holding ON steps (step) WHERE holds = 1 AND status IN ('claimed', 'in_progress');
CREATE INDEX steps_to_hold ON steps (project, rank, num)
    WHERE holds = 1 AND status = 'not_started' AND waiting = 0;
CREATE INDEX steps_resting ON steps (project, scope, not_before)
    WHERE not_before IS NOT NULL AND status = 'not_started' AND waiting = 0;

CREATE INDEX attempts_lost ON attempts (agent, ended_at) WHERE state = 'lost';
