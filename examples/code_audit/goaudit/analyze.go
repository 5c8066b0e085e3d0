package main

import (
	"bytes"
	"cmp"
	"errors"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"slices"
)

const anonymous = "<anonymous>"

// analyzeSource measures every function of one Go file.
func analyzeSource(path string, source []byte) (FileReport, error) {
	files := token.NewFileSet()
	mode := parser.ParseComments | parser.SkipObjectResolution
	file, err := parser.ParseFile(files, "", source, mode)
	if err != nil {
		return FileReport{}, syntaxError(err)
	}
	walk := &walk{files: files, bound: map[*ast.FuncLit]binding{}}
	ast.Walk(place{walk: walk}, file)
	slices.SortFunc(walk.meters, func(left, right *meter) int {
		return cmp.Compare(left.node.Pos(), right.node.Pos())
	})
	report := FileReport{Path: path, Language: "go", Lines: countLines(source)}
	report.Functions = make([]FunctionReport, 0, len(walk.meters))
	for _, meter := range walk.meters {
		report.Functions = append(report.Functions, walk.report(meter))
	}
	return report, nil
}

func syntaxError(err error) error {
	var list scanner.ErrorList
	if errors.As(err, &list) && len(list) > 0 {
		return &SourceError{Line: list[0].Pos.Line, Message: list[0].Msg}
	}
	return &SourceError{Message: err.Error()}
}

func countLines(source []byte) int {
	lines := bytes.Count(source, []byte{'\n'})
	if len(source) > 0 && source[len(source)-1] != '\n' {
		lines++
	}
	return lines
}

// walk is one pass over a file: what it has found, and the literals that a declaration names.
type walk struct {
	files  *token.FileSet
	meters []*meter
	bound  map[*ast.FuncLit]binding
}

type binding struct {
	name                 string
	documented, exported bool
}

// meter is what has been counted so far in one function.
type meter struct {
	node       ast.Node
	binding    binding
	nesting    int
	complexity int
}

// place is where a node stands: the function around it, and its level inside that function. It is
// the visitor of the node's children.
type place struct {
	walk  *walk
	meter *meter
	level int
}

func (at place) Visit(node ast.Node) ast.Visitor {
	if at.meter != nil {
		at.meter.complexity += decisions(node)
	}
	switch node := node.(type) {
	case *ast.FuncDecl:
		if node.Body == nil { // Written in assembly: there is nothing to measure.
			return nil
		}
		return at.enter(node, bindDeclaration(node))
	case *ast.FuncLit:
		binding, named := at.walk.bound[node]
		switch {
		case named:
			return at.enter(node, binding)
		case at.meter == nil:
			return at.enter(node, bindingOf(anonymous))
		}
		return at.deeper()
	case *ast.IfStmt:
		at.visitCondition(node)
		return nil
	case *ast.ForStmt, *ast.RangeStmt, *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.SelectStmt:
		return at.deeper()
	case *ast.GenDecl:
		at.bindVariables(node)
	case *ast.AssignStmt:
		for i := range min(len(node.Lhs), len(node.Rhs)) {
			at.bind(node.Lhs[i], node.Rhs[i])
		}
	case *ast.KeyValueExpr:
		at.bind(node.Key, node.Value)
	}
	return at
}

// visitCondition walks an if: a chain of else-if is one level, however long it is.
func (at place) visitCondition(node *ast.IfStmt) {
	inside := at.deeper()
	if node.Init != nil {
		ast.Walk(inside, node.Init)
	}
	ast.Walk(inside, node.Cond)
	ast.Walk(inside, node.Body)
	switch after := node.Else.(type) {
	case nil:
	case *ast.IfStmt:
		ast.Walk(at, after)
	default:
		ast.Walk(inside, after)
	}
}

func (at place) deeper() place {
	at.level++
	if at.meter != nil {
		at.meter.nesting = max(at.meter.nesting, at.level)
	}
	return at
}

func (at place) enter(node ast.Node, binding binding) place {
	if at.meter != nil {
		binding.name = at.meter.binding.name + "." + binding.name
		binding.exported = false
	}
	entered := &meter{node: node, binding: binding, complexity: 1}
	at.walk.meters = append(at.walk.meters, entered)
	return place{walk: at.walk, meter: entered}
}

// bind remembers that a function literal is the value of a name.
func (at place) bind(target, value ast.Expr) {
	literal, isLiteral := ast.Unparen(value).(*ast.FuncLit)
	if !isLiteral {
		return
	}
	switch target := target.(type) {
	case *ast.Ident:
		if target.Name != "_" {
			at.walk.bound[literal] = bindingOf(target.Name)
		}
	case *ast.SelectorExpr:
		at.walk.bound[literal] = bindingOf(target.Sel.Name)
	}
}

func bindingOf(name string) binding { return binding{name: name} }

func (at place) bindVariables(declaration *ast.GenDecl) {
	for _, spec := range declaration.Specs {
		variables, isVariables := spec.(*ast.ValueSpec)
		if !isVariables {
			continue
		}
		comment := variables.Doc
		if comment == nil && !declaration.Lparen.IsValid() {
			comment = declaration.Doc
		}
		for i := range min(len(variables.Names), len(variables.Values)) {
			at.bind(variables.Names[i], variables.Values[i])
			literal, isLiteral := ast.Unparen(variables.Values[i]).(*ast.FuncLit)
			bound, named := at.walk.bound[literal]
			if !isLiteral || !named {
				continue
			}
			bound.documented = comment.Text() != ""
			bound.exported = ast.IsExported(bound.name)
			at.walk.bound[literal] = bound
		}
	}
}

func bindDeclaration(node *ast.FuncDecl) binding {
	declared := binding{
		name:       node.Name.Name,
		documented: node.Doc.Text() != "", // Text leaves directives such as //go:noinline out.
		exported:   node.Name.IsExported(),
	}
	if node.Recv != nil && len(node.Recv.List) == 1 {
		receiver := receiverName(node.Recv.List[0].Type)
		declared.name = receiver + "." + declared.name
		declared.exported = declared.exported && ast.IsExported(receiver)
	}
	return declared
}

// receiverName is the name of the type that a method belongs to: Name, *Name, Name[T].
func receiverName(expression ast.Expr) string {
	switch expression := expression.(type) {
	case *ast.Ident:
		return expression.Name
	case *ast.StarExpr:
		return receiverName(expression.X)
	case *ast.ParenExpr:
		return receiverName(expression.X)
	case *ast.IndexExpr:
		return receiverName(expression.X)
	case *ast.IndexListExpr:
		return receiverName(expression.X)
	}
	return anonymous
}

func decisions(node ast.Node) int {
	switch node := node.(type) {
	case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt:
		return 1
	case *ast.CaseClause:
		return boolean(node.List != nil)
	case *ast.CommClause:
		return boolean(node.Comm != nil)
	case *ast.BinaryExpr:
		return boolean(node.Op == token.LAND || node.Op == token.LOR)
	}
	return 0
}

func boolean(isDecision bool) int {
	if isDecision {
		return 1
	}
	return 0
}

func (walk *walk) report(meter *meter) FunctionReport {
	// The real lines: a //line directive in generated code must not move them.
	first := walk.files.PositionFor(meter.node.Pos(), false).Line
	last := walk.files.PositionFor(meter.node.End(), false).Line
	return FunctionReport{
		Name:       meter.binding.name,
		Line:       first,
		Length:     last - first + 1,
		Nesting:    meter.nesting,
		Complexity: meter.complexity,
		Documented: meter.binding.documented,
		Exported:   meter.binding.exported,
	}
}
