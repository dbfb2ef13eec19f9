// What the plan page needs of others: a viewer of medical images and a chart.
export { Niivue, NVImage, cmapper } from "@niivue/niivue";
export { default as uPlot } from "uplot";
