// The viewer can read Zarr stores from the network; a plan has none, and its codecs are larger than the
// viewer itself.
const none = () => {
  throw new Error("Zarr is not in this build");
};
export const open = none, root = none, get = none, slice = none, registry = new Map();
export class FetchStore {}
export default none;
