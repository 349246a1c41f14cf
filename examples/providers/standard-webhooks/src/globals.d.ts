// What the build puts in.
declare const VERSION: string;

declare module "*.proto" {
  const text: string;
  export default text;
}
