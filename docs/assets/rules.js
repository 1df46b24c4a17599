// The list of rules gets a choice for each column that has few values. What is chosen stands in the address, to be shared.
document.addEventListener("DOMContentLoaded", () => {
  const tables = [...document.querySelectorAll(".md-typeset table")].filter((table) => columnsOf(table).includes("engine"))
  if (tables.length === 0) return

  const columns = columnsOf(tables[0])
  const rows = tables.flatMap((table) => [...table.tBodies[0].rows])
  const parameters = new URLSearchParams(location.search)
  const form = document.createElement("form")
  form.className = "rule-filter"
  const choices = ["engine", "group", "default", "fix"].map((name) => choice(name, columns.indexOf(name)))
  const count = form.appendChild(document.createElement("output"))
  form.addEventListener("change", show)
  titleOf(tables[0]).before(form)
  show()

  function columnsOf(table) {
    return [...table.tHead.rows[0].cells].map((cell) => cell.textContent)
  }

  function titleOf(table) {
    return (table.closest(".md-typeset__scrollwrap") ?? table).previousElementSibling
  }

  function choice(name, column) {
    const values = [...new Set(rows.map((row) => valueOf(row, column)))].sort()
    const select = document.createElement("select")
    select.append(new Option("any", ""), ...values.map((value) => new Option(value)))
    select.value = values.includes(parameters.get(name)) ? parameters.get(name) : ""
    const label = form.appendChild(document.createElement("label"))
    label.append(name, select)
    return { name, column, select }
  }

  function valueOf(row, column) {
    return row.cells[column].textContent || "none"
  }

  function show() {
    const wanted = choices.filter(({ select }) => select.value)
    for (const row of rows) row.hidden = wanted.some(({ column, select }) => valueOf(row, column) !== select.value)
    for (const table of tables) {
      const isEmpty = [...table.tBodies[0].rows].every((row) => row.hidden)
      const title = titleOf(table)
      title.hidden = title.nextElementSibling.hidden = table.hidden = isEmpty // the theme may put the table into a box in between
    }
    count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rules`
    const query = new URLSearchParams(wanted.map(({ name, select }) => [name, select.value])).toString()
    history.replaceState(null, "", `${location.pathname}${query && "?"}${query}${location.hash}`)
  }
})
