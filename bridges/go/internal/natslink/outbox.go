package natslink

import (
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// confirmPause lets one PING confirm many replies.
	confirmPause   = 20 * time.Millisecond
	confirmTimeout = 5 * time.Second
)

// outbox remembers final replies until a PONG proves that the server has them. A reconnect of this
// worker is likely one of the engine too, which may be back later: what was waiting is therefore
// sent several times, and the engine drops the doubles.
type outbox struct {
	connection *nats.Conn

	mu          sync.Mutex
	unconfirmed []*nats.Msg
	// checking says that a goroutine is on its way to confirm.
	checking bool
	// repeatedFor is the reconnect after which the replies were sent again. Until then no PONG
	// counts, since it may answer a PING from before.
	repeatedFor uint64
}

// repeatAfter are the pauses before each round of a repetition.
var repeatAfter = []time.Duration{0, time.Second, 4 * time.Second}

// publish sends a final reply now and again after a reconnect if that came in between.
func (o *outbox) publish(message *nats.Msg) error {
	o.mu.Lock()
	o.unconfirmed = append(o.unconfirmed, message)
	start := !o.checking
	o.checking = true
	o.mu.Unlock()
	err := o.connection.PublishMsg(message)
	if err == nats.ErrMaxPayload {
		o.forget(message)
	}
	if start {
		go o.confirm()
	}
	return err
}

func (o *outbox) forget(message *nats.Msg) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for index, waiting := range o.unconfirmed {
		if waiting == message {
			o.unconfirmed = append(o.unconfirmed[:index], o.unconfirmed[index+1:]...)
			return
		}
	}
}

// confirm runs until nothing waits or the connection fails; the next publish or reconnect starts
// it again.
func (o *outbox) confirm() {
	for {
		time.Sleep(confirmPause)
		o.mu.Lock()
		if len(o.unconfirmed) == 0 {
			o.checking = false
			o.mu.Unlock()
			return
		}
		last := o.unconfirmed[len(o.unconfirmed)-1]
		o.mu.Unlock()
		if err := o.connection.FlushTimeout(confirmTimeout); err != nil {
			o.mu.Lock()
			o.checking = false
			o.mu.Unlock()
			return
		}
		o.dropThrough(last)
	}
}

func (o *outbox) dropThrough(last *nats.Msg) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.connection.IsConnected() || o.connection.Stats().Reconnects != o.repeatedFor {
		return
	}
	for index, waiting := range o.unconfirmed {
		if waiting == last {
			o.unconfirmed = append([]*nats.Msg{}, o.unconfirmed[index+1:]...)
			return
		}
	}
}

// repeat sends again, after a reconnect, what no PONG has confirmed.
func (o *outbox) repeat() (count int) {
	o.mu.Lock()
	o.repeatedFor = o.connection.Stats().Reconnects
	waiting := append([]*nats.Msg{}, o.unconfirmed...)
	start := !o.checking && len(waiting) > 0
	o.checking = o.checking || start
	o.mu.Unlock()
	if start {
		go o.confirm()
	}
	if len(waiting) > 0 {
		go o.sendInRounds(waiting)
	}
	return len(waiting)
}

func (o *outbox) sendInRounds(waiting []*nats.Msg) {
	for _, pause := range repeatAfter {
		time.Sleep(pause)
		for _, message := range waiting {
			if o.connection.PublishMsg(message) != nil {
				return // lost again: the next reconnect begins anew
			}
		}
	}
}
