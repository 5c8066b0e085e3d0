// Package perdure hosts activities written in Go for Perdure workflows.
//
//	svc := perdure.NewService("goaudit", perdure.WithConcurrency(64))
//	perdure.Activity(svc, "analyze", func(ctx context.Context, path string) (Report, error) { … })
//	err := svc.Run(ctx)
//
// An activity is an ordinary function. It runs at least once; its result is recorded exactly once.
// The context carries cancellation, the deadline, Info and Heartbeat. Run talks to the engine over
// stdio when the engine started the program as a child, and over NATS otherwise; the activities do
// not notice. Arguments and results follow the type mapping in the README.
package perdure
