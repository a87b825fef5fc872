import js from '@eslint/js';
import jupyter from '@jupyter/eslint-plugin';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig([
  { ignores: ['lib', 'node_modules', '**/*.js', '**/*.mjs'] },
  { plugins: { jupyter } },
  js.configs.recommended,
  tseslint.configs.strict,
  jupyter.configs.recommended,
  {
    languageOptions: {
      parserOptions: {
        projectService: true,
        tsconfigRootDir: import.meta.dirname
      }
    },
    rules: {
      curly: ['error', 'all'],
      eqeqeq: 'error',
      'no-console': 'error',
      'jupyter/prefer-lazy-imports': 'off' // all of it is smaller than a request
    }
  },
  {
    files: ['tests/**'],
    rules: { 'jupyter/no-untranslated-string': 'off' }
  }
]);
