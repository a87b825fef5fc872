declare module '*/cluster.json' {
  import { ISchema } from './offers';
  const schema: ISchema;
  export default schema;
}
