package worker

import (
	"time"

	"github.com/perdure/perdure-go/internal/envelope"
	"github.com/perdure/perdure-go/internal/payload"
)

// The pace of heartbeats: a third of the timeout, within these bounds.
const (
	shortestBeat = 20 * time.Millisecond
	longestBeat  = time.Second
)

// heartbeats paces those of one call; the call's lock guards it.
type heartbeats struct {
	newest payload.Value
	// waiting says that newest has not been sent yet.
	waiting bool
	last    time.Time
	timer   *time.Timer
}

func (h *heartbeats) stop() {
	if h.timer != nil {
		h.timer.Stop()
	}
}

func (c *Call) beatInterval() time.Duration {
	timeout := time.Duration(c.Task.HeartbeatTimeoutMs) * time.Millisecond
	if timeout <= 0 {
		return longestBeat
	}
	return min(max(timeout/3, shortestBeat), longestBeat)
}

// Heartbeat sends progress, now or when the pace allows; the newest details win. The zero Value
// means a heartbeat without details.
func (c *Call) Heartbeat(details payload.Value) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	if !details.IsZero() {
		c.beats.newest = details
	}
	c.beats.waiting = true
	wait := c.beatInterval() - time.Since(c.beats.last)
	switch {
	case wait <= 0:
		c.flushDetails()
	case c.beats.timer == nil:
		c.beats.timer = time.AfterFunc(wait, c.beatLate)
	}
}

func (c *Call) beatLate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.beats.timer = nil
	if !c.ended {
		c.flushDetails()
	}
}

// flushDetails runs under the call's lock.
func (c *Call) flushDetails() {
	if !c.beats.waiting {
		return
	}
	c.beats.waiting, c.beats.last, c.answered = false, time.Now(), true
	reply := &envelope.Reply{
		Frame: envelope.KindHeartbeat, Task: c.Task.Task, Details: c.beats.newest,
	}
	c.worker.send(reply, c.route)
}
