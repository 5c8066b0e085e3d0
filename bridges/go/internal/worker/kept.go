package worker

import (
	"time"

	"github.com/perdure/perdure-go/internal/envelope"
)

// Bounds of the reply cache.
const (
	keptFor   = 60 * time.Second
	keptCount = 65_536
	keptBytes = 64 << 20
	// keptOverhead is roughly what a kept reply costs beside its payload.
	keptOverhead = 300
)

// keptReplies are the final replies of the last minute, the oldest dropped first.
type keptReplies struct {
	replies map[string]keptReply
	// order holds the tasks as they ended; first is where the dropped ones end.
	order []string
	first int
	bytes int
}

type keptReply struct {
	reply *envelope.Reply
	at    time.Time
	size  int
}

func newKeptReplies() keptReplies {
	return keptReplies{replies: map[string]keptReply{}}
}

func (k *keptReplies) add(reply *envelope.Reply, now time.Time) {
	if old, again := k.replies[reply.Task]; again {
		old.reply = reply
		k.replies[reply.Task] = old
		return
	}
	kept := keptReply{reply, now, keptOverhead + replySize(reply)}
	k.replies[reply.Task] = kept
	k.order = append(k.order, reply.Task)
	k.bytes += kept.size
	for len(k.replies) > keptCount || k.bytes > keptBytes && len(k.replies) > 1 {
		k.dropOldest()
	}
	for len(k.replies) > 0 && now.Sub(k.replies[k.order[k.first]].at) > keptFor {
		k.dropOldest()
	}
}

func (k *keptReplies) dropOldest() {
	task := k.order[k.first]
	k.bytes -= k.replies[task].size
	delete(k.replies, task)
	k.order[k.first] = ""
	if k.first++; k.first > 1024 && k.first > len(k.order)/2 {
		k.order = append([]string{}, k.order[k.first:]...)
		k.first = 0
	}
}

func (k *keptReplies) find(task string, now time.Time) *envelope.Reply {
	kept, found := k.replies[task]
	if !found || now.Sub(kept.at) > keptFor {
		return nil
	}
	return kept.reply
}

func replySize(reply *envelope.Reply) int {
	size := reply.Value.Size() + reply.Details.Size()
	for failure := reply.Error; failure != nil; failure = failure.Cause {
		size += len(failure.Stack) + len(failure.Message)
		for _, detail := range failure.Details {
			size += detail.Size()
		}
	}
	return size
}
