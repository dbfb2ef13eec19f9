// The page of a verification: two viewers with one cross, dose planned on the left, dose delivered or how it
// differs on the right; curves of both.

const look = await import(`./look.js${new URL(import.meta.url).search}`);
const { at } = look;
const verification = JSON.parse(at("verification-data").textContent);
const base = `/api/verifications/${verification.id}`;

async function curves() {
  const { planned, delivered } = await (await fetch(`${base}/dvh`)).json();
  const shown = delivered.filter((c) => c.role !== "cold" && c.role !== "outside_territory");
  const colour = look.colours();
  const series = shown.flatMap((c) => {
    const stroke = colour(c.role);
    const before = planned.filter((p) => p.name === c.name && p.role === c.role);
    return [
      { points: c.points, label: c.name, stroke, dash: [] },
      ...before.map((p) => ({ points: p.points, label: `${c.name}, planned`, stroke, dash: [7, 4] })),
    ];
  });
  look.chart(at("dvh-plot"), series, look.lastDose(series));
}

async function images() {
  const file = (name, options) => look.load(`${base}/files/${name}.nii.gz`, options);
  const [left, right] = await Promise.all(["left-canvas", "right-canvas"].map((id) => look.viewer(at(id))));
  const viewers = [left, right];
  const [ct, labels, planned, delivered, difference] = await Promise.all([
    look.exists(`${base}/files/ct.nii.gz`).then((there) => there && file("ct")),
    file("labels", { opacity: 0 }),
    ...["planned", "delivered", "difference"].map((name) => file(name)),
  ]);
  // One scale for both doses, and as much of more as of less.
  const highest = Math.max(look.most(planned.img), look.most(delivered.img));
  look.doses(planned, highest);
  look.doses(delivered, highest);
  const off = look.most(difference.img.map(Math.abs));
  difference.colormap = "difference";
  difference.cal_max = Math.max(10, Math.round((0.6 * off) / 10) * 10);
  difference.cal_min = -difference.cal_max;
  look.outlined(labels);
  const behind = ct ? [look.windowed(ct)] : [];
  look.put(left, [...behind, planned, labels]);
  look.put(right, [...behind, delivered, difference, labels]);

  const overlay = look.tools(viewers, ct, labels, (strength) => {
    const differs = at("right").value === "difference";
    planned.opacity = strength;
    delivered.opacity = differs ? 0 : strength;
    difference.opacity = differs ? strength : 0;
    at("right-title").textContent = differs ? "Difference: delivered less planned" : "Delivered";
    look.scale("dose-scale", left, planned, " Gy", "Dose");
    look.scale("difference-scale", right, differs && difference, " Gy", "Difference");
  });
  at("right").addEventListener("change", overlay);

  // The cross is at one place in both; what moves it in one moves it in the other.
  const follow = (other) => ({ mm }) => {
    other.scene.crosshairPos = other.mm2frac([...mm].slice(0, 3));
    other.drawScene();
    at("at").textContent = look.place(mm);
    at("hu").textContent = ct ? look.text(look.value(ct, mm), 0) : "–";
    for (const [id, image] of Object.entries({ planned, delivered })) {
      at(id).textContent = look.text(look.value(image, mm), 1);
    }
    const gy = look.value(difference, mm);
    at("difference").textContent = (gy > 0 ? "+" : "") + look.text(gy, 1);
  };
  left.onLocationChange = follow(right);
  right.onLocationChange = follow(left);
  look.lesions(left, at("left-canvas"), verification.begin);
}

curves();
look.looking(images());
