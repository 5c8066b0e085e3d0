package main

// FileReport is one measured file, in the shape that the three analysers share.
type FileReport struct {
	Path      string           `json:"path"`
	Language  string           `json:"language"`
	Lines     int              `json:"lines"`
	Functions []FunctionReport `json:"functions"`
}

// FunctionReport is one function, measured by the rules of the example's README.
type FunctionReport struct {
	Name       string `json:"name"`
	Line       int    `json:"line"`
	Length     int    `json:"length"`
	Nesting    int    `json:"nesting"`
	Complexity int    `json:"complexity"`
	Documented bool   `json:"documented"`
	Exported   bool   `json:"exported"`
}

// SourceError says why a file could not be measured. Line is 0 where no line is to blame.
type SourceError struct {
	Line    int
	Message string
}

func (err *SourceError) Error() string { return err.Message }
