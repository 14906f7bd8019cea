// Keys of the lists: j and k go to the next and the previous article, / to the search box.
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, select, textarea");
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    const box = document.getElementById("q");
    if (!box) return;
    event.preventDefault();
    box.focus();
    box.select();
    return;
  }
  const step = { j: 1, k: -1 }[event.key];
  if (!step) return;
  const links = [...document.querySelectorAll(".articles h3 a")];
  const now = links.indexOf(document.activeElement);
  const next = links[now < 0 && step < 0 ? -1 : now + step];
  if (next) next.focus();
});
