// A page of a card for each cluster: those of a group stand together.
const cards = new Map([...document.querySelectorAll("[data-cluster]")].map((card) => [Number(card.dataset.cluster), card]));
const homes = new Map([...cards].map(([cluster, card]) => [cluster, card.parentElement]));

for (const heading of document.querySelectorAll("h3[data-coarse]")) heading.replaceChildren(input(heading.dataset.coarse));

arrange = () => {
  for (const { cluster } of groups.clusters) homes.get(cluster).append(cards.get(cluster));
  for (const merged of document.querySelectorAll(".merged")) merged.remove();
  for (const root of roots()) {
    const card = cards.get(root);
    const members = membersOf(root);
    for (const cluster of members) {
      const own = cards.get(cluster);
      const alone = members.length === 1 && cluster >= 0;
      own.querySelector(".name").replaceChildren(alone ? input(cluster) : standard(cluster));
      own.querySelector(".tools")?.remove();
      if (alone) own.querySelector("h3").after(tools(cluster));
    }
    if (members.length === 1) continue;
    const merged = make("section", "merged");
    const heading = make("h3");
    heading.append(input(root), make("span", "faint", ` ${members.length} clusters`));
    const inner = make("div", "cards");
    card.before(merged);
    inner.append(...members.map((cluster) => cards.get(cluster)));
    merged.append(heading, tools(root), inner);
  }
};
arrange();
get("save-json").addEventListener("click", () => save(`${groups.dataset}-${groups.clustering}.json`, "application/json", namesAsJson()));
